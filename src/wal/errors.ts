/**
 * A log that must not be served: damaged before its last record, or contradicting itself. The
 * message names the file and the byte offset, for whoever has to look.
 */
export class WalError extends Error {
  readonly file: string;
  readonly offset: number;

  constructor(reason: string, place: { readonly file: string; readonly offset: number }) {
    super(`wal: ${reason}, in ${place.file} at offset ${place.offset}`);
    this.file = place.file;
    this.offset = place.offset;
  }
}
