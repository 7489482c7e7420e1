/** The largest window (RFC 9113 §6.9.1). */
export const WINDOW_BYTES_MAX = 0x7fff_ffff;
/** The windows of both ends before any SETTINGS (§6.9.2). */
export const INITIAL_WINDOW_BYTES = 65_535;

/** Flow control in both directions, for one stream or for a whole connection. */
export class FlowWindows {
  /** What may be sent. Below zero after the peer has made its initial window smaller. */
  sendBytes: number;
  /** What the peer may send. */
  receiveBytes: number;
  /** Consumed, but not yet granted again. */
  owedBytes = 0;

  constructor(options: { sendBytes: number; receiveBytes: number }) {
    this.sendBytes = options.sendBytes;
    this.receiveBytes = options.receiveBytes;
  }

  /** The peer lets more be sent; false when that passes the largest window. */
  grow(bytes: number): boolean {
    this.sendBytes += bytes;
    return this.sendBytes <= WINDOW_BYTES_MAX;
  }

  /** The peer has sent something; false when it was more than permitted. */
  received(bytes: number): boolean {
    this.receiveBytes -= bytes;
    return this.receiveBytes >= 0;
  }

  /**
   * Received bytes have been dealt with. Returns the grant to send now, or 0: grants are gathered
   * until half of the window `size` is owed.
   */
  consumed(bytes: number, size: number): number {
    this.owedBytes += bytes;
    return this.repay(size);
  }

  /** The grant that is due, or 0. */
  repay(size: number): number {
    if (this.owedBytes < size >>> 1) return 0;
    const grant = this.owedBytes;
    this.owedBytes = 0;
    this.receiveBytes += grant;
    return grant;
  }
}
