// A job of the loop that takes long, done beside it: one run at a time. While its last run failed, each look fails, so that the loop counts,
// logs and delays it as it does any other job.
export class BackgroundTask implements AsyncDisposable {
  #atWork: Promise<void> | undefined
  #failure: { readonly thrown: unknown } | undefined

  /** Begins, unless the last run is still at work. Throws what the last run that ended threw. */
  look(run: () => Promise<unknown>): void {
    const failure = this.#failure
    this.#atWork ??= run()
      .then(() => {
        this.#failure = undefined
      })
      .catch((thrown: unknown) => {
        this.#failure = { thrown }
      })
      .finally(() => {
        this.#atWork = undefined
      })
    if (failure !== undefined) throw failure.thrown
  }

  /** Waits for the run that is at work. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#atWork
  }
}
