/** Client ports: gRPC over HTTP/2, the JSON gateway and plain pages over HTTP/1.1. */
export { Access } from "./access.ts";
export { Http2Exchange, type RequestHead } from "./exchange.ts";
export { Gateway } from "./gateway.ts";
export { callType, ROUTES } from "./gateway-routes.ts";
export { GrpcServer, type GrpcServerOptions } from "./grpc-server.ts";
export { createHttp1Server } from "./http1-server.ts";
export type { Parts } from "./part-writer.ts";
export { errorPage, type Page, type PageMaker, type Pages, Web, type WebOptions } from "./web.ts";
