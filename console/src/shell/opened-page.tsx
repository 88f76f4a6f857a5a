// The page that the address names, as soon as its file is here.
import { useEffect, useState } from 'react'
import type { FoundPage } from '../pages.ts'
import { Skeleton } from '../parts/loading.tsx'

export function OpenedPage({ found: { page, params } }: { readonly found: FoundPage }) {
  const [failed, setFailed] = useState<{ readonly thrown: unknown }>()
  const [, setLoaded] = useState(page.component !== undefined)
  useEffect(() => {
    page.load().then(
      () => setLoaded(true),
      (thrown: unknown) => setFailed({ thrown }),
    )
  }, [page])
  if (failed) throw failed.thrown
  if (page.component) return <page.component params={params} />
  return (
    <div className="tm-page">
      <Skeleton lines={8} />
    </div>
  )
}
