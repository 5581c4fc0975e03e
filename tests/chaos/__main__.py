"""`make chaos`: exit code 0 when nothing was lost, wrong or left over, else 1."""

import argparse
import signal
import sys

from chaos.run import Options, run_in_temporary_folder


def main() -> int:
    usual = Options()
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--requests", type=int, default=usual.requests, metavar="N")
    parser.add_argument("--kill-interval", type=float, default=usual.kill_interval, metavar="SECONDS")
    parser.add_argument("--fault-rate", type=float, default=usual.fault_rate, metavar="SHARE")
    parser.add_argument("--seed", default=usual.seed)
    parser.add_argument("--dispatchers", type=int, default=usual.dispatchers, metavar="N")
    parser.add_argument("--concurrency", type=int, default=usual.concurrency, metavar="N")
    parser.add_argument("--crash-every", type=int, default=usual.crash_every, metavar="N")
    parser.add_argument("--refuse-every", type=int, default=usual.refuse_every, metavar="N")
    parser.add_argument("--deadline", type=float, default=usual.deadline, metavar="SECONDS")
    parser.add_argument("--keep-logs", action="store_true", help="keep the processes' logs even when all is well")
    # However it is stopped, the processes it started end with it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    given = vars(parser.parse_args())
    keep = given.pop("keep_logs")
    holds = run_in_temporary_folder(Options(**given), lambda text: print(text, flush=True), keep=keep)
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
