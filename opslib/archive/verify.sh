#!/bin/sh
# Checks an archive of runs with sh, sha256sum, grep and find; nothing of the program that wrote it is needed.
#
#   sh verify.sh [FOLDER [SEQ:SHA256]]
#
# FOLDER is the archive, by default the folder of this script. SEQ:SHA256 is a head that was noted elsewhere; the
# archive must still hold that entry. Exit code 0: nothing contradicts the log. 1: something does, or can't be read.
# Writes nothing but a scratch folder of its own, which it removes.
#
# Do not trust a copy of this script that lies in the archive to be checked: take it from where you took the program.

set -u
LC_ALL=C
export LC_ALL
umask 077

case $0 in */*) here=${0%/*} ;; *) here=. ;; esac
root=${1:-$here}
noted=${2:-}
scratch=${TMPDIR:-/tmp}/archive-verify.$$
bad=0

error() {
    bad=1
    printf 'error: %s\n' "$1"
}

finish() {
    printf '%s entries, %s runs closed, %s open, %s in quarantine\n' "$entries" "$closed" "$open" "$quarantined"
    printf 'head %s\n' "$head"
    printf '%s %s%s\n' \
        'NOT SIGNED, NOT ANCHORED: whoever can write to this folder can cut entries off the end or rewrite all of it,' \
        'and no look at the archive alone can exclude that. Compare its head with one that was noted elsewhere.' "$held"
    if [ $bad -eq 0 ]; then
        printf 'OK: nothing in it contradicts the log\n'
    else
        printf 'FAILED: see the errors above\n'
    fi
    exit $bad
}

# Prints what sha256sum finds in the list $1, whose paths are relative to $2, each with the prefix $3.
sums() {
    [ -s "$1" ] || return 0
    if ! (cd "$2" && sha256sum -c --quiet --strict "$1") >"$scratch/said" 2>&1; then
        bad=1
        while IFS= read -r said; do
            case $said in *[!\ -~]*) said='a file with an unprintable name' ;; esac
            printf 'error: %s%s\n' "$3" "$said"
        done <"$scratch/said"
    fi
}

is_sum() {
    case $1 in *[!0-9a-f]*) return 1 ;; esac
    [ ${#1} -eq 64 ]
}

is_run() {
    case $1 in
        *[!0-9A-Za-z-]* | *--* | *-) return 1 ;;
        [0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z-*) ;;
        *) return 1 ;;
    esac
    case ${1#*-} in *[!0-9a-z-]*) return 1 ;; esac
    [ ${#1} -le 150 ]
}

# Reads the next line of an entry into $line.
take() {
    IFS= read -r line || return 1
    case $line in *[!\ -~]*) return 1 ;; esac
}

# Keeps $line and reads the next one.
keep() {
    body=$body$line$newline
    take
}

# Reads the entry $1 (six digits), number $2, into event, run, state, previous, named; fails on any other form.
parse() {
    {
        body= state= previous= named=
        take && [ "$line" = '# opslib archive entry 1' ] || return 1
        keep && [ "$line" = "# seq $2" ] || return 1
        keep && event=${line#'# event '} && [ "$line" = "# event $event" ] || return 1
        keep && run=${line#'# run '} && [ "$line" = "# run $run" ] || return 1
        keep || return 1
        case $line in
            '# time '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z) ;;
            *) return 1 ;;
        esac
        keep || return 1
        case $line in '# state '*) state=${line#'# state '} && keep || return 1 ;; esac
        case $line in '# text '?*) keep || return 1 ;; esac
        if [ "$2" -gt 1 ]; then
            previous=$line
            keep || return 1
        fi
        case $event in
            open | close) named=$line && keep || return 1 ;;
            heartbeat | redact | key | note) ;;
            *) return 1 ;;
        esac
        sum=${line#'# sum '}
        [ "$line" = "# sum $sum" ] && is_sum "$sum" || return 1
        if IFS= read -r rest || [ -n "$rest" ]; then return 1; fi
    } <"log/$1.entry"
    case $event in
        open | close | redact) is_run "$run" || return 1 ;;
        *) [ "$run" = - ] || is_run "$run" || return 1 ;;
    esac
    case $event:$state in
        close:interrupted | note:quarantined) [ "$run" != - ] || return 1 ;;
        *:) ;;
        *) return 1 ;;
    esac
    printf '%s' "$body" >"$scratch/body/$1"
    printf '%s%s\n' "$body" "$line" >"$scratch/copy/log/$1.entry"
    printf '%s  %s\n' "$sum" "$1" >>"$scratch/body.sums"
}

# Says whether the line $1 is a sum of the path $2, and keeps it for checking.
names() {
    is_sum "${1%%  *}" && [ "$1" = "${1%%  *}  $2" ] || return 1
    printf '%s\n' "$1" >>"$scratch/named.sums"
}

entry() {
    number=$1 seq=$2
    if [ ! -f "log/$number.entry" ]; then
        error "log/$number.entry: is missing"
        return
    fi
    if ! parse "$number" "$seq"; then
        error "log/$number.entry: does not have the form of an entry"
        return
    fi
    entries=$((entries + 1))
    if [ "$seq" -gt 1 ] && ! names "$previous" "log/$before.entry"; then
        error "log/$number.entry: does not name its predecessor"
    fi
    case $event:$state in
        open:)
            [ ! -e "$scratch/opened/$run" ] || error "log/$number.entry: opens $run a second time"
            [ "$named" = "${named%%  *}  runs/$run/run.json" ] && is_sum "${named%%  *}" ||
                error "log/$number.entry: does not name its run's run.json"
            printf '%s\n' "${named%%  *}" >"$scratch/opened/$run"
            ;;
        close:* | note:quarantined)
            [ -e "$scratch/opened/$run" ] || error "log/$number.entry: ends $run, which was never opened"
            if [ -e "$scratch/closed/$run" ] || [ -e "$scratch/quarantined/$run" ]; then
                error "log/$number.entry: ends $run a second time"
            fi
            if [ $event = close ]; then
                names "$named" "runs/$run/MANIFEST.sha256" ||
                    error "log/$number.entry: does not name its run's manifest"
                printf '%s\n' "$state" >"$scratch/closed/$run"
            else
                : >"$scratch/quarantined/$run"
            fi
            ;;
    esac
}

# Checks the chain of the journal in $1; $2 is not empty when the run was cut off.
journal() {
    if [ ! -f "$1/journal.jsonl" ]; then
        [ -n "$2" ] || printf 'warning: %s/journal.jsonl: is missing\n' "$1"
        return
    fi
    rm -rf "$scratch/lines"
    mkdir "$scratch/lines"
    n=10000000
    while IFS= read -r line; do
        n=$((n + 1))
        printf '%s' "$line" >"$scratch/lines/$n"
    done <"$1/journal.jsonl"
    if [ -n "$line" ] && [ -z "$2" ]; then
        error "$1/journal.jsonl: its last line is torn"
    fi
    [ $n -gt 10000000 ] || return 0
    (cd "$scratch/lines" && sha256sum ./*) >"$scratch/chain"
    n=0 previous=0000000000000000000000000000000000000000000000000000000000000000
    while IFS= read -r line; do
        n=$((n + 1))
        IFS=' ' read -r sum rest <&3
        case $line in "{"*"\"prev\":\"$previous\""*"}") ;; *)
            error "$1/journal.jsonl: line $n does not name the line before it"
            break
            ;;
        esac
        case $line in *"\"seq\":$n,"* | *"\"seq\":$n}"*) ;; *)
            error "$1/journal.jsonl: line $n does not have the number $n"
            break
            ;;
        esac
        previous=$sum
    done <"$1/journal.jsonl" 3<"$scratch/chain"
}

# Checks the run in $1 against its manifest: every file as named, and nothing else there.
manifest() {
    list=$1/MANIFEST.sha256
    if [ ! -f "$list" ] || grep -Evq '^[0-9a-f]{64}  [A-Za-z0-9_.+=@,~/-]+$' "$list" ||
        grep -Eq '  (.*/)?(-[^/]*|\.|\.\.|)(/.*)?$' "$list" || grep -q '  MANIFEST\.sha256$' "$list" ||
        ! grep -q '  run\.json$' "$list"; then
        error "$list: is missing or no manifest"
        return
    fi
    (cd "$1" && sha256sum -c --quiet --strict MANIFEST.sha256) >"$scratch/said" 2>&1 || {
        bad=1
        while IFS= read -r said; do printf 'error: %s/%s\n' "$1" "$said"; done <"$scratch/said"
    }
    while IFS=' ' read -r sum name; do printf './%s\n' "$name"; done <"$list" >"$scratch/names"
    (cd "$1" && find . -type f ! -path ./MANIFEST.sha256) >"$scratch/have"
    if grep -Fvxq -f "$scratch/names" "$scratch/have"; then
        error "$1: holds a file that is not in its manifest"
    fi
}

quarantine() {
    quarantined=$((quarantined + 1))
    printf 'warning: quarantine/%s: not sealed, a known secret stands in its files\n' "$1"
    [ ! -e "runs/$1" ] || error "runs/$1: is there although the run is in quarantine"
    [ -f "quarantine/$1/run.json" ] || return 0
    read -r sum <"$scratch/opened/$1"
    printf '%s  quarantine/%s/run.json\n' "$sum" "$1" >>"$scratch/runs.sums"
}

run() {
    if [ -e "$scratch/quarantined/$1" ] || { [ ! -e "$scratch/closed/$1" ] && [ -d "quarantine/$1" ]; }; then
        quarantine "$1"
        return
    fi
    [ ! -e "quarantine/$1" ] || error "quarantine/$1: is there although the run was sealed"
    if [ ! -d "runs/$1" ]; then
        error "runs/$1: is in the log and its folder is gone"
        return
    fi
    read -r sum <"$scratch/opened/$1"
    printf '%s  runs/%s/run.json\n' "$sum" "$1" >>"$scratch/runs.sums"
    if find "runs/$1" -type d -empty ! -path "runs/$1/evidence" | grep -q .; then
        error "runs/$1: holds an empty folder that no run has"
    fi
    if [ -e "$scratch/closed/$1" ]; then
        closed=$((closed + 1))
        state=
        IFS= read -r state <"$scratch/closed/$1"
        journal "runs/$1" "$state"
        manifest "runs/$1"
    else
        open=$((open + 1))
        printf 'warning: runs/%s: is open: still running, or cut off\n' "$1"
        journal "runs/$1" open
    fi
}

# Reports everything in the folder $1 that the log doesn't know.
strays() {
    for path in "$1"/* "$1"/.[!.]* "$1"/..?*; do
        [ -e "$path" ] || [ -h "$path" ] || continue
        is_run "${path##*/}" && [ -e "$scratch/opened/${path##*/}" ] || error "$1: holds a run that is not in the log"
    done
}

# Checks that entry number $1 is still the one with the sum $2.
holds() {
    case $1 in '' | 0* | *[!0-9]* | ???????*) number=none ;; *) number=$((1000000 + $1)) ;; esac
    if [ $number = none ] || ! is_sum "$2"; then
        error 'head: the noted head does not have the form SEQ:SHA256'
    elif grep -Fxq "$2  log/${number#1}.entry" "$scratch/log.sums"; then
        held=" It holds the noted head $1:$2."
    else
        error "head: entry $1 is not the one that was noted: the archive was cut or rewritten"
    fi
}

newline='
'
entries=0 closed=0 open=0 quarantined=0 head=none held=

cd "$root" || exit 1
for name in log runs quarantine; do
    if [ ! -d $name ] || [ -h $name ]; then
        error "$name: is missing or no folder"
        finish
    fi
done
# Before anything is read: a pipe would be waited for, a link would be followed to somewhere else.
if find log runs quarantine ! -type f ! -type d | grep -q . || find log -type d ! -path log | grep -q .; then
    error 'there is a link, a pipe or a folder where a plain file should be'
    finish
fi
if find log -type f ! -name '[0-9][0-9][0-9][0-9][0-9][0-9].entry' | grep -q .; then
    error 'log: holds a file that is no entry'
fi

mkdir "$scratch" || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
mkdir "$scratch/body" "$scratch/copy" "$scratch/copy/log" "$scratch/opened" "$scratch/closed" "$scratch/quarantined"

last=$(find log -type f -name '*.entry' | grep -c .)
[ "$last" -gt 0 ] || error 'log: holds no entry'
seq=0 before=
while [ $seq -lt "$last" ]; do
    seq=$((seq + 1))
    number=$((1000000 + seq))
    entry "${number#1}" $seq
    before=${number#1}
done

sums "$scratch/body.sums" "$scratch/body" log/
find log -type f -name '*.entry' -exec sha256sum {} + >"$scratch/log.sums"
(cd "$scratch/copy" && sha256sum -c --status "$scratch/log.sums" 2>/dev/null) ||
    error 'log: an entry holds bytes that no entry has'
for path in "$scratch"/opened/*; do
    [ ! -e "$path" ] || run "${path##*/}"
done
sums "$scratch/named.sums" . ''
sums "$scratch/runs.sums" . ''
strays runs
strays quarantine
if [ -n "$before" ]; then
    sum=$(grep -F "  log/$before.entry" "$scratch/log.sums")
    head=$seq:${sum%% *}
fi
[ -z "$noted" ] || holds "${noted%%:*}" "${noted#*:}"
finish
