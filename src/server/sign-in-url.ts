// Where a sign-in link leads: the console, with the secret behind the `#`, which browsers keep to themselves: no server log and no
// Referer ever has it.

export function signInUrl(url: string, secret: string): string {
  return `${url.replace(/\/$/, '')}/#link=${secret}`
}
