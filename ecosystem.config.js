// Herald's workers under PM2 7:  pm2 start ecosystem.config.js  (docs/deploy.md).
//
// The worker's settings stand in a file, so that no secret gets into PM2's dump: the one that HERALD_ENV_FILE names,
// else .env beside this file, else /etc/herald/herald.env. These may stand there too, or in the environment:
//   HERALD_WORKERS         how many workers share the accounts (1)
//   HERALD_LOG_DIR         where they log (logs beside this file)
//   HERALD_MEMORY_LIMIT    above it a worker is reloaded (512M)
//   WORKER_ID, PORT, STATE_DIR   of the first worker; the others get WORKER_ID-2, PORT+1, STATE_DIR-2, … (with
//                          REUSE_PORT=true all the same PORT)
"use strict";

const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");

const beside = (name) => path.join(__dirname, name);
const envFile = process.env.HERALD_ENV_FILE ||
  [beside(".env"), "/etc/herald/herald.env"].find((file) => fs.existsSync(file));
if (!envFile) {
  throw new Error("HERALD_ENV_FILE: name the file with the worker's settings (docs/settings.md)");
}

/** What the file sets: NAME=value or NAME="value", with or without export and a comment behind. */
function settingsOf(file) {
  const line = /^\s*(?:export\s+)?([A-Z_]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s#]*))/;
  const found = fs.readFileSync(file, "utf8").split("\n").map((text) => text.match(line)).filter(Boolean);
  return Object.fromEntries(found.map(([, name, ...texts]) => [name, texts.find((text) => text !== undefined)]));
}

const fromFile = settingsOf(envFile);
const setting = (name, otherwise) => process.env[name] || fromFile[name] || otherwise;

const workers = Number(setting("HERALD_WORKERS", "1"));
if (!Number.isInteger(workers) || workers < 1 || workers > 64) {
  throw new Error("HERALD_WORKERS must be a whole number from 1 to 64");
}
const workerId = setting("WORKER_ID", os.hostname());
const port = Number(setting("PORT", "3000"));
const onePort = /^(true|1|yes|on)$/i.test(setting("REUSE_PORT", "false"));
const stateDir = setting("STATE_DIR", `/dev/shm/herald-${process.getuid()}`);
const logDir = path.resolve(__dirname, setting("HERALD_LOG_DIR", "logs"));
fs.mkdirSync(logDir, { recursive: true, mode: 0o750 });

/** Variables of this shell that a worker may see, if set: nothing else, and so no secret, ends in `pm2 save`. */
const kept = ["PATH", "HOME", "LANG", "TZ", "TMPDIR", "SSL_CERT_FILE", "HTTPS_PROXY", "NO_PROXY"];

function worker(number) {
  const name = `herald-${number}`;
  const suffix = number === 1 ? "" : `-${number}`;
  return {
    name,
    cwd: __dirname,
    script: beside(".venv/bin/python"),
    args: ["-m", "worker"],
    interpreter: "none",
    exec_mode: "fork", // so a reload is a stop and a start; the accounts' sockets could not be shared anyway
    filter_env: [""], // drops every variable of this shell whose name contains "", which is all of them
    env: {
      ...Object.fromEntries(kept.filter((key) => process.env[key]).map((key) => [key, process.env[key]])),
      HERALD_ENV_FILE: path.resolve(envFile),
      WORKER_ID: workerId + suffix,
      PORT: String(onePort ? port : port + number - 1),
      STATE_DIR: stateDir + suffix,
      LOG_FILE: path.join(logDir, `${name}.log`),
    },

    // A stop is SIGINT to the worker alone: it hands its accounts over and ends its engines itself. A send that
    // stalls gets 10 s, its settlement 3, each account's sealed state up to three calls to Supabase of 10 s.
    treekill: false,
    kill_timeout: 45_000,
    wait_ready: true, // the worker says when Supabase has answered its first heartbeat
    listen_timeout: 20_000,

    // The daemon alone, about 100 MB as measured; its engines have ENGINE_MEMORY_LIMIT_MB. PM2 looks every 30 s
    // and reloads the worker in order.
    max_memory_restart: setting("HERALD_MEMORY_LIMIT", "512M"),

    // Again after 0.1 s, then 1.5 times as long, up to 15 s; from 0.1 s again once it was up for 30 s. Not when a
    // setting is wrong (2) or when another worker has the same WORKER_ID (3): worker/__main__.py.
    exp_backoff_restart_delay: 100,
    stop_exit_codes: [2, 3],

    // The log is LOG_FILE, which the worker turns over itself without losing a line. PM2's own way loses some
    // (7.0.4: reloadLogs writes into a closed file). What comes here is only why a worker can't start.
    out_file: path.join(logDir, `${name}.start.log`),
    error_file: path.join(logDir, `${name}.start.log`),
    merge_logs: true,
    log_date_format: "YYYY-MM-DDTHH:mm:ssZ",
  };
}

module.exports = { apps: Array.from({ length: workers }, (_, index) => worker(index + 1)) };
