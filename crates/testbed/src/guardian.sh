# Holds a server for a test process: FOLDER LEFTOVERS COMMAND…
#
# Obeys `start` and `kill` from standard input, answering each. At the input's end, which comes however the test process ends, it kills the
# server and removes FOLDER, and LEFTOVERS: files elsewhere, divided by spaces.
folder=$1 leftovers=$2 pid=
shift 2

# A process and its descendants, whatever sessions they have made, stopped so that none makes another meanwhile.
family() {
    kill -STOP "$1" 2>/dev/null
    echo "$1"
    for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do family "$child"; done
}

# As in a crash: nothing gets to say good-bye.
end() {
    [ -n "$pid" ] || return
    all=$(family "$pid")
    kill -KILL $all 2>/dev/null
    wait "$pid" 2>/dev/null
    pid=
    for each in $all; do while [ -e "/proc/$each/exe" ]; do sleep 0.01; done; done
}

while read -r word; do
    case $word in
    start)
        "$@" </dev/null >>"$folder/log" 2>&1 &
        pid=$!
        ;;
    kill) end ;;
    esac
    echo "$word"
done
end
rm -rf "$folder" $leftovers || { sleep 1 && rm -rf "$folder"; }
