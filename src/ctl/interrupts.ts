/** A signal that comes with the first SIGINT or SIGTERM, which then do not end the program. */
export function interrupts(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => controller.abort());
  }
  return controller.signal;
}

/** Resolves when the signal comes, or has come. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
