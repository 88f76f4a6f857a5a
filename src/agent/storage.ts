// Where an agent keeps its files. The agent's promise to survive a power cut at any point rests on the promises made here, and the test
// suite cuts the power at every call.
import type { Bytes } from '../core/bytes/bytes.ts'

/**
 * Names are relative, with `/` between folder and file. Each change is atomic: after a power cut it has happened or it has not. It is
 * durable when the promise resolves. Rejects with `agent.storage_failed`.
 */
export interface AgentStorage {
  read(name: string): Promise<Bytes | undefined>
  /** Puts the file in the place of what stands there. */
  write(name: string, content: Uint8Array): Promise<void>
  /** Overwrites the file, then removes it. Nothing happens where there is none. */
  destroy(name: string): Promise<void>
  /** Every file that `read` would find, in no order. */
  list(): Promise<string[]>
  readLink(name: string): Promise<string | undefined>
  /** Lets a symbolic link point elsewhere, or takes it away. */
  link(name: string, target: string | undefined): Promise<void>
  /** Runs `work` while no other agent, in whatever process, works on the same files. Rejects with `agent.busy`. */
  exclusively<T>(work: () => Promise<T>): Promise<T>
  /** What a program beside the agent opens: an absolute path, or the name where there are no paths. */
  pathOf(name: string): string
}
