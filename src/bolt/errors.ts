/**
 * A page that the source does not hold just now. Thrown before anything was changed: fetch the
 * page and run the operation again.
 */
export class PageMiss extends Error {
  override readonly name = "PageMiss";
  readonly page: number;

  constructor(page: number) {
    super(`page ${page} is not in memory`);
    this.page = page;
  }
}

/** The file is damaged, foreign, or of a newer format. The text names the page and the offset. */
export class BoltError extends Error {
  override readonly name = "BoltError";
}
