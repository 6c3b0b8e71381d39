#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Writes a program for each system, to be called with a scenario:
# programs.sh DIRECTORY PYTHON LIBRARY
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$1"

program() { # NAME ARGUMENTS
    cat >"$out/$1" <<END
#!/bin/sh
PYTHONPATH='$top/bindings/python' AIMDB_LIBRARY='$library' PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH AIMDB_LIBRARY PYTHONDONTWRITEBYTECODE
exec '$python' '$top/bench/python/'$2 "\$@"
END
    chmod +x "$out/$1"
}

out=$1 python=$2 library=$3
program aimdb-python aimdb_python.py
program queue 'queues.py Queue'
program simplequeue 'queues.py SimpleQueue'
program asyncio-queue asyncio_queue.py
program pyzmq pyzmq_inproc.py
program iceoryx2-python iceoryx2_python.py
