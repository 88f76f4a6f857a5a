// The console as a whole: theme, questions to the server, who is signed in, and the page that the address names.
import { createTheme, MantineProvider } from '@mantine/core'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { asProblem } from './api/problem.ts'
import { SESSION_QUERY } from './api/session.ts'
import { findPage } from './pages.ts'
import { Toasts } from './parts/toasts.tsx'
import { Door } from './shell/door.tsx'
import { texts } from './texts/texts.ts'

/** Modals do not lock the page by a style element, which the content security policy would refuse: the page scrolls in a frame of its own. */
const theme = createTheme({
  cursorType: 'pointer',
  respectReducedMotion: true,
  components: {
    Modal: {
      defaultProps: {
        lockScroll: false,
        transitionProps: { duration: 100 },
        classNames: { title: 'tm-modal-title' },
        closeButtonProps: { 'aria-label': texts.close },
      },
    },
    ModalRoot: { defaultProps: { lockScroll: false, transitionProps: { duration: 100 } } },
    Menu: { defaultProps: { transitionProps: { duration: 80 } } },
    Tooltip: { defaultProps: { transitionProps: { duration: 80 } } },
    ScrollArea: { defaultProps: { type: 'auto' } },
  },
})

const RETRIES = 2

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      refetchOnWindowFocus: true,
      // What was refused is refused again; what was unreachable may come back.
      retry: (count, thrown) => count < RETRIES && [0, 429, 503].includes(asProblem(thrown).status),
    },
  },
})

// Before anything is drawn: who is signed in, and the file of the page that the address names; with both, what that page will ask. What goes wrong is
// told where the page is shown. Who comes with a sign-in link is not asked.
if (!window.location.hash.startsWith('#link=')) {
  const first = findPage(window.location.pathname)?.page
  void Promise.all([queries.fetchQuery(SESSION_QUERY), first?.load()])
    .then(() => first?.prefetch(queries))
    .catch(() => undefined)
}

export function App() {
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto" withCssVariables={false} withGlobalClasses={false}>
      <QueryClientProvider client={queries}>
        <Door />
        <Toasts />
      </QueryClientProvider>
    </MantineProvider>
  )
}
