/**
 * The version of the words between agent and executor. A change that an older side would misread adds one, with a line here.
 *
 * 1 (2026-11-23): first version.
 */
export const LINK_VERSION = 1;
