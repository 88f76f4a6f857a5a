// How large publications are cut.
/** Octets of the pieces in which a large publication is stored and read; the last one may have less. */
export const PUBLICATION_PIECE = 256 * 1024
