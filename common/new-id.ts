/**
 * Makes ids. All of them sort by the time of their making.
 */
import { v7 } from "uuid";

import { PodId } from "../protocol/ids.ts";

export function newPodId(): PodId {
  return PodId.parse(v7());
}
