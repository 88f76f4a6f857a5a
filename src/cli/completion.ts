// `touchmark completion`: scripts for bash, zsh and fish, made from the commands themselves, so that they never lag behind.
import { act, type Command, type CommandRow, command, usageError } from './command.ts'

interface Node {
  /** `token create` */
  readonly path: string
  readonly summary: string
  readonly children: readonly string[]
  readonly options: readonly { readonly long: string; readonly takesFile: boolean; readonly description: string }[]
}

export function completionCommand(rows: readonly CommandRow[]): Command {
  const completion = command({
    name: 'completion',
    summary: 'Print a completion script for bash, zsh or fish',
    examples: [
      ['completion bash > ~/.local/share/bash-completion/completions/touchmark', 'bash'],
      ['completion zsh > ~/.zfunc/_touchmark', 'zsh'],
      ['completion fish > ~/.config/fish/completions/touchmark.fish', 'fish'],
    ],
  }).argument('<shell>', 'bash, zsh or fish')
  return act(completion, async ({ out }, shell) => {
    const write = WRITERS[shell as keyof typeof WRITERS]
    if (!write) throw usageError(`There is no completion for ${shell}.`, 'Use bash, zsh or fish.')
    const nodes: Node[] = [{ path: '', summary: '', children: rows.map(row => row.name), options: [] }]
    for (const row of rows) collect(await row.load(), row.name, nodes)
    out.raw(write(nodes))
  })
}

function collect(at: Command, path: string, nodes: Node[]): void {
  nodes.push({
    path,
    summary: at.summary(),
    children: at.commands.map(child => child.name()),
    options: at.options.map(option => ({
      long: option.long ?? '',
      takesFile: /<(file|folder|path)>/.test(option.flags),
      description: option.description,
    })),
  })
  for (const child of at.commands) collect(child, `${path} ${child.name()}`, nodes)
}

const WRITERS = { bash, zsh, fish } as const

const words = (node: Node) => [...node.children, ...node.options.map(option => option.long), '--help'].join(' ')
const fileOptions = (nodes: readonly Node[]) => [
  ...new Set(nodes.flatMap(node => node.options.filter(option => option.takesFile).map(option => option.long))),
]

function bash(nodes: readonly Node[]): string {
  return `# touchmark completion for bash
_touchmark() {
  local cur prev path word
  cur="\${COMP_WORDS[COMP_CWORD]}"
  prev="\${COMP_WORDS[COMP_CWORD-1]}"
  case "$prev" in
    ${fileOptions(nodes).join('|')}) COMPREPLY=($(compgen -f -- "$cur")); return ;;
  esac
  path=""
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "\${path:+$path }$word" in
      ${nodes
        .filter(node => node.path !== '')
        .map(node => `"${node.path}"`)
        .join('|')}) path="\${path:+$path }$word" ;;
    esac
  done
  case "$path" in
${nodes.map(node => `    "${node.path}") COMPREPLY=($(compgen -W "${words(node)}" -- "$cur")) ;;`).join('\n')}
  esac
  [ \${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "$cur"))
}
complete -o filenames -F _touchmark touchmark
`
}

function zsh(nodes: readonly Node[]): string {
  const quoted = (text: string) => text.replaceAll(/['\\[\]:]/g, match => (match === "'" ? "'\\''" : `\\${match}`))
  const summaries = new Map(nodes.map(node => [node.path, node.summary]))
  const cases = nodes.map(node => {
    const children = node.children.map(child => {
      const summary = summaries.get(node.path === '' ? child : `${node.path} ${child}`) ?? ''
      return `'${quoted(child)}:${quoted(summary)}'`
    })
    const options = node.options.map(option => `'${option.long}:${quoted(option.description)}'`)
    return `    "${node.path}") entries=(${[...children, ...options].join(' ')}) ;;`
  })
  return `#compdef touchmark
_touchmark() {
  local -a entries
  local path="" word
  case "\${words[CURRENT-1]}" in
    ${fileOptions(nodes).join('|')}) _files; return ;;
  esac
  for word in "\${words[@]:1:CURRENT-2}"; do
    case "\${path:+$path }$word" in
      ${nodes
        .filter(node => node.path !== '')
        .map(node => `"${node.path}"`)
        .join('|')}) path="\${path:+$path }$word" ;;
    esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  _describe 'touchmark' entries || _files
}
_touchmark "$@"
`
}

function fish(nodes: readonly Node[]): string {
  const quoted = (text: string) => text.replaceAll(/['\\]/g, match => `\\${match}`)
  const summaries = new Map(nodes.map(node => [node.path, node.summary]))
  const lines = nodes.flatMap(node => {
    const names = node.path === '' ? [] : node.path.split(' ')
    const seen = names.map(name => `__fish_seen_subcommand_from ${name}`)
    const none = node.children.length > 0 ? [`not __fish_seen_subcommand_from ${node.children.join(' ')}`] : []
    const condition = [...seen, ...none].join('; and ')
    const children = node.children.map(child => {
      const summary = summaries.get(node.path === '' ? child : `${node.path} ${child}`) ?? ''
      return `complete -c touchmark -n '${condition}' -f -a ${child} -d '${quoted(summary)}'`
    })
    const options = node.options.map(
      option =>
        `complete -c touchmark -n '${seen.join('; and ')}' -l ${option.long.slice(2)}${option.takesFile ? ' -r' : ''} -d '${quoted(option.description)}'`,
    )
    return [...children, ...options]
  })
  return `# touchmark completion for fish\n${lines.join('\n')}\n`
}
