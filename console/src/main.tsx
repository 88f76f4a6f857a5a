// Where the console begins.
import '@mantine/core/styles/baseline.css'
import '@mantine/core/styles/default-css-variables.css'
import '@mantine/core/styles/global.css'
import './mantine-styles.ts'
import './theme.css'
import './layout.css'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './app.tsx'
import { findPage } from './pages.ts'

// Its file comes while the server says who is signed in; what goes wrong is told where the page is shown.
void findPage(window.location.pathname)
  ?.page.load()
  .catch(() => undefined)

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <App />
  </StrictMode>,
)
