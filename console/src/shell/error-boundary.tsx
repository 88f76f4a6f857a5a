// A page that breaks does not take the console with it.
import { Component, type ReactNode } from 'react'
import { ProblemPanel } from '../parts/problem-panel.tsx'

export class ErrorBoundary extends Component<{ readonly children: ReactNode }, { readonly thrown: unknown }> {
  override state: { readonly thrown: unknown } = { thrown: undefined }

  static getDerivedStateFromError(thrown: unknown) {
    return { thrown }
  }

  override render(): ReactNode {
    if (this.state.thrown === undefined) return this.props.children
    return <ProblemPanel thrown={this.state.thrown} retry={() => this.setState({ thrown: undefined })} />
  }
}
