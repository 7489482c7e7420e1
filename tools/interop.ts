/**
 * `npm run interop`: builds the real peers (etcd, etcdctl, etcdutl, bbolt, the load generator,
 * h2spec) into a cache folder, once. Needs Go and the shared folder beside the checkout.
 */
import { buildPeers, EXIT_SKIPPED, interopBin } from "../test/lib/binaries.ts";

if (buildPeers()) process.stdout.write(`interop: ${interopBin()}\n`);
else {
  process.stdout.write("interop: skipped, it needs Go and ../shared/interop\n");
  process.exit(EXIT_SKIPPED);
}
