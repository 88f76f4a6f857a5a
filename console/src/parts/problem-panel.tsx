// What went wrong, where it went wrong: the sentence, what to do next, and the code that a runbook knows.
import { Button } from '@mantine/core'
import { asProblem } from '../api/problem.ts'
import { texts } from '../texts/texts.ts'
import { Icon } from './icon.tsx'

export function ProblemPanel({ thrown, retry }: { readonly thrown: unknown; readonly retry?: () => void }) {
  const problem = asProblem(thrown)
  return (
    <div className="tm-problem" role="alert">
      <Icon name="error" size={20} />
      <div className="tm-problem-text">
        <strong>{problem.message}</strong>
        {problem.next && <span>{problem.next}</span>}
        <span className="tm-dim">
          <code>{problem.code}</code>
          {problem.requestId && (
            <>
              {' '}
              · {texts.problem.request} <code>{problem.requestId}</code>
            </>
          )}
        </span>
      </div>
      {retry && (
        <Button variant="default" size="xs" onClick={retry}>
          {texts.problem.retry}
        </Button>
      )}
    </div>
  )
}
