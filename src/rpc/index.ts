/**
 * The API: one table of methods, one pipeline that takes a call to its row, one file a service.
 */
export { type Answer, type Message, settle, whole } from "./answer.ts";
export { authRevision } from "./auth.ts";
export { ClientRequests, type RequestTally } from "./client-requests.ts";
export { METHODS, type Method } from "./methods.ts";
export { Pipeline } from "./pipeline.ts";
export { type Limits, type MemoryPort, Service } from "./service.ts";
export { WatchService } from "./watch.ts";
