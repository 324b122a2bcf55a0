/**
 * The process that reads the kernel's files of accelerators below the root that its argument names.
 */
import { serveRequests } from "../children/serve.ts";
import { rootAt } from "./root.ts";
import { scanSysfs } from "./scan.ts";

serveRequests(async () => scanSysfs(rootAt(process.argv[2] ?? "/")));
