/** quord's own version; `package.json` says the same (there is a test for it). */
export const QUORD_VERSION = "0.1.0";
