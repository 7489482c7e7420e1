/** Ports to listen on, and who is connected to them; TLS with the certificates of a member. */
export { type Address, parseAddress } from "./addresses.ts";
export { DeadlineWatch } from "./deadline-watch.ts";
export { type OutputSource, writeOutput } from "./write-output.ts";
export { resetConnection } from "./reset.ts";
export { Listener, type ListenerOptions, type Protocol } from "./listener.ts";
export { selfSign, type SelfSigned } from "./self-signed.ts";
export { tlsText } from "./tls-text.ts";
export { cleanPath, escapeHtml, redirection } from "./go-mux.ts";
export { readTlsFiles, type Rejection, TlsIdentity, type TlsSettings } from "./tls-identity.ts";
