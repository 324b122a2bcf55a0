/**
 * The program `lium-agent`.
 */
import { processHost } from "../../common/cli/program.ts";
import { runCli } from "./program.ts";

process.exitCode = await runCli(process.argv.slice(2), processHost());
