#!/bin/sh
# Checks an archive of runs with sh, sha256sum, grep, find and ssh-keygen; nothing of the program that wrote it is
# needed.
#
#   sh verify.sh [-s SIGNERS] [FOLDER [SEQ:SHA256]...]
#
# FOLDER is the archive, by default the folder of this script. SIGNERS is a file from elsewhere with the keys that
# you trust, in the form of the archive's own allowed_signers. SEQ:SHA256 are heads that were noted or published
# elsewhere; the archive must still hold those entries. Exit code 0: nothing contradicts the log. 1: something does,
# or can't be read. Writes nothing but a scratch folder of its own, which it removes.
#
# Do not trust a copy of this script that lies in the archive to be checked: take it from where you took the program.

set -u
LC_ALL=C
export LC_ALL
umask 077

case $0 in */*) here=${0%/*} ;; *) here=. ;; esac
signers=
if [ "${1:-}" = -s ]; then
    case ${2:-} in '') exit 1 ;; /*) signers=$2 ;; *) signers=$PWD/$2 ;; esac
    shift 2
fi
root=${1:-$here}
[ $# -eq 0 ] || shift
scratch=${TMPDIR:-/tmp}/archive-verify.$$
bad=0

error() {
    bad=1
    # A name in the archive may hold what a terminal obeys.
    case $1 in
        *[!\ -~]*) printf 'error: something with an unprintable name in %s\n' "${1%%[!\ -~]*}" ;;
        *) printf 'error: %s\n' "$1" ;;
    esac
}

# Prints what the archive shows, and what it can't.
statement() {
    if [ -z "$used" ]; then
        said='NOT SIGNED: whoever can write to this folder can rewrite all of it.'
    else
        case $used in *,*) said="SIGNED by keys $used:" ;; *) said="SIGNED by key $used:" ;; esac
        if [ -n "$signers" ]; then
            said="$said named by the signers file given."
        else
            said="$said that it is the right key only a signers file from elsewhere can show."
        fi
        if [ "$unsigned" -gt 0 ]; then
            said="$said Entries 1 to $unsigned are unsigned; entry $((unsigned + 1)) vouches for them as they are."
        fi
    fi
    if [ "$held" -eq 0 ]; then
        said="$said NOT ANCHORED: tail cut and key holder rewriting cannot be excluded."
    elif [ "$held" -eq "$seq" ]; then
        said="$said ANCHORED up to entry $held of $seq."
    else
        said="$said ANCHORED up to entry $held of $seq; entries after it can be cut unseen,"
        said="$said and rewritten by who holds the key."
    fi
    printf '%s\n' "$said"
}

finish() {
    printf '%s entries, %s runs closed, %s open, %s in quarantine' "$entries" "$closed" "$open" "$quarantined"
    [ "$removed" -eq 0 ] || printf ', %s removed by retention' "$removed"
    printf '\n'
    printf 'head %s\n' "$head"
    [ "$seq" -eq 0 ] || statement
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

# Reads the entry $1 (six digits), number $2, into event, run, state, text, previous, named; fails on any other form.
parse() {
    {
        body= state= text= previous= named=
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
        case $line in '# text '?*) text=${line#'# text '} && keep || return 1 ;; esac
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
        key) [ "$run" = - ] || return 1 ;;
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

# Says whether $1 is as many characters of base64's alphabet as $2 says.
is_base64() {
    case $1 in *[!A-Za-z0-9+/]*) return 1 ;; esac
    [ ${#1} -eq "$2" ]
}

is_owner() {
    case $1 in '' | [!A-Za-z0-9]* | *[!A-Za-z0-9@._+-]*) return 1 ;; esac
    [ ${#1} -le 80 ]
}

is_print() {
    [ "$1" != "${1#SHA256:}" ] && is_base64 "${1#SHA256:}" 43
}

# Prints the fingerprint of the public Ed25519 key $1, given in base64.
print_of() {
    is_base64 "$1" 68 && [ "$1" != "${1#AAAAC3NzaC1lZDI1NTE5AAAAI}" ] || return 1
    printf 'ssh-ed25519 %s\n' "$1" >"$scratch/key.pub"
    told=$(ssh-keygen -l -E sha256 -f "$scratch/key.pub" 2>/dev/null) || return 1
    told=${told#* }
    printf '%s' "${told%% *}"
}

# Copies the signature $1 to $2, and fails on all but the one form that a signature has: OpenSSH takes others for
# the same, with bytes that it skips or a number that is too large. $3 is its purpose in base64; $4 is not empty
# when other kinds of keys than Ed25519 may sign.
armour() {
    {
        take && [ "$line" = '-----BEGIN SSH SIGNATURE-----' ] || return 1
        body=$line$newline rows= width=70
        while take && [ "$line" != '-----END SSH SIGNATURE-----' ]; do
            [ $width -eq 70 ] && [ ${#line} -le 70 ] && [ ${#rows} -le 16384 ] || return 1
            width=${#line} rows=$rows$line body=$body$line$newline
        done
        [ "$line" = '-----END SSH SIGNATURE-----' ] || return 1
        if IFS= read -r rest || [ -n "$rest" ]; then return 1; fi
    } <"$1"
    printf '%s%s\n' "$body" "$line" >"$2"
    form=U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAg'[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]A'
    form=${form}AAAO${3}'AAAAAAAAABnNoYT(UxMg|I1Ng)AAAFMAAAALc3NoLWVkMjU1MTkAAABA[A-Za-z0-9+/]{84}[A-D][AQgw]=='
    case $rows in
        U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAg*) ;;
        *) [ -n "$4" ] && [ $((${#rows} % 4)) -eq 0 ] && form='[A-Za-z0-9+/]+={0,2}' || return 1 ;;
    esac
    printf '%s\n' "$rows" | grep -Exq "$form"
}

# Reads the text of a key entry into verb, print, owner, public.
change() {
    set -f
    # shellcheck disable=SC2086
    set -- $text
    set +f
    verb=${1:-} print=${2:-} owner=${3:-} public=${5:-}
    is_print "$print" || return 1
    case $verb in
        add)
            [ "$text" = "add $print $owner ssh-ed25519 $public" ] && is_owner "$owner" || return 1
            [ "$(print_of "$public")" = "$print" ]
            ;;
        revoke) [ "$text" = "revoke $print" ] ;;
        *) return 1 ;;
    esac
}

# Says whether the key $by, which signed the entry just read, may do so; each that may not is told once.
may_sign() {
    case ", $used," in *", $by,"*) ;; *) used=${used:+$used, }$by ;; esac
    case $revoked in *" $by "*)
        error "$path: is by $by, which an earlier entry revokes"
        return
        ;;
    esac
    case $told_of in *" $by "*) return ;; esac
    if [ -n "$signers" ]; then
        case $trusted in *" $by "*) return ;; esac
        error "$path: is by $by, which the signers file does not name"
    else
        case $added in *" $by "*) return ;; esac
        if [ -z "$list" ] && [ "$verb" = add ] && [ "$print" = "$by" ]; then return; fi
        error "$path: is by $by, which no earlier entry adds: another host's key, or somebody else's"
    fi
    told_of="$told_of$by "
}

# Keeps what a key entry says.
change_keys() {
    if [ "$verb" = add ]; then
        case $added$revoked in *" $print "*)
            error "log/$number.entry: adds a key that an earlier entry adds or revokes" ;;
        esac
        added="$added$print "
        new="$owner namespaces=\"opslib-archive\" ssh-ed25519 $public"
    else
        case $added in
            *" $print "*) added="${added%%" $print "*} ${added#*" $print "}" ;;
            *) error "log/$number.entry: revokes a key that no earlier entry adds, or a second time" ;;
        esac
        revoked="$revoked$print "
        new="# revoked $print"
    fi
    list_before=$list list=$list$new$newline changed=$seq
}

# Checks the signature of the entry that was just read.
signature() {
    path=log/$number.entry.sig verb=
    if [ "$event" = key ] && ! change; then
        error "log/$number.entry: does not say which key it adds or revokes"
        verb=
    fi
    if [ ! -e "$path" ]; then
        if [ -z "$list$verb" ]; then
            unsigned=$seq
            return
        fi
        error "$path: is missing, and the entries before it are signed"
    elif ! armour "$path" "$scratch/copy/$path" b3BzbGliLWFyY2hpdmU ''; then
        error "$path: does not have the form of a signature"
    else
        by=$(ssh-keygen -Y check-novalidate -n opslib-archive -s "$path" <"log/$number.entry" 2>/dev/null) || by=
        case $by in
            'Good "opslib-archive" signature with ED25519 key SHA256:'*) by=${by##* } && may_sign ;;
            *) error "$path: is of other content" ;;
        esac
    fi
    [ -z "$verb" ] || change_keys
}

# Reads the fingerprints in the signers file into trusted.
trust() {
    while IFS= read -r line || [ -n "$line" ]; do
        case $line in '' | '#'*) continue ;; esac
        owner=${line%% *} rest=${line#* } spaces=opslib-archive
        case $rest in 'namespaces="'*)
            rest=${rest#*'"'}
            spaces=${rest%%'"'*} rest=${rest#*'" '}
            ;;
        esac
        case $spaces in '' | *[[:space:]]*) return 1 ;; esac
        case $rest in 'ssh-ed25519 '*) public=${rest#* } ;; *) return 1 ;; esac
        is_owner "$owner" && print=$(print_of "${public%% *}") || return 1
        case ,$spaces, in *,opslib-archive,*) trusted="$trusted$print " ;; esac
    done <"$1"
}

# Checks, after the last entry, signatures without entry and the archive's own list of keys.
keys() {
    next=$((1000001 + seq))
    for path in log/*.entry.sig; do
        [ -e "$path" ] && [ ! -e "${path%.sig}" ] || continue
        if [ "$seq" -gt 0 ] && [ "$path" = "log/${next#1}.entry.sig" ]; then
            printf 'warning: %s: has no entry: cut off before it was written, or the newest entry was removed\n' "$path"
        else
            error "$path: has no entry"
        fi
    done
    [ -z "$signers" ] || [ -n "$used" ] || error 'log: is not signed, and a signers file was given'
    have=/dev/null
    [ ! -e allowed_signers ] && [ ! -h allowed_signers ] || have=allowed_signers
    if [ $have = allowed_signers ] && { [ -h $have ] || [ ! -f $have ]; }; then
        error 'allowed_signers: is no plain file'
        return
    fi
    sum=$(sha256sum <"$have")
    [ "$sum" = "$(printf '%s' "$list" | sha256sum)" ] && return
    if [ "$changed" -eq "$seq" ] && [ "$sum" = "$(printf '%s' "$list_before" | sha256sum)" ]; then
        printf "warning: allowed_signers: lacks the newest entry's key; the next entry brings it\n"
    else
        error 'allowed_signers: is not the list of keys that the log gives'
    fi
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
    signature
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
                [ "$named" = "${named%%  *}  runs/$run/MANIFEST.sha256" ] && is_sum "${named%%  *}" ||
                    error "log/$number.entry: does not name its run's manifest"
                printf '%s\n%s\n' "$state" "$named" >"$scratch/closed/$run"
            else
                : >"$scratch/quarantined/$run"
            fi
            ;;
        note:) hold ;;
        redact:) removal ;;
    esac
}

# Says whether $1 begins with $2, somebody's name without a blank, and $3.
says() {
    by=${1#"$2"} && by=${by%%[ :]*}
    case $1 in "$2$by$3"*) [ -n "$by" ] && [ ${#by} -le 100 ] ;; *) return 1 ;; esac
}

# Keeps whether the entry just read puts its run under legal hold, or releases it.
hold() {
    if says "$text" 'legal hold by ' ': ' && [ -n "${text#*: }" ]; then
        : >"$scratch/held/$run"
    elif says "$text" 'legal hold released by ' ': ' && [ -n "${text#*: }" ]; then
        rm -f "$scratch/held/$run"
    fi
}

# Keeps that the entry just read removes its run, if it does.
removal() {
    printf '%s\n' "$text" | grep -Exq "removed by retention of [1-9][0-9]{0,4} days as \
(diagnostics|reviews|changing) by [!-~]{1,100}" || return 0
    [ -e "$scratch/closed/$run" ] || error "log/$number.entry: removes $run, which was not sealed"
    [ ! -e "$scratch/removed/$run" ] || error "log/$number.entry: removes $run a second time"
    [ ! -e "$scratch/held/$run" ] || error "log/$number.entry: removes $run, which is under legal hold"
    : >"$scratch/removed/$run"
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

is_time() {
    case $1 in
        [0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z) ;;
        *) return 1 ;;
    esac
}

# Says whether the statement $1, read into $body and $line, has the name of who signed it, $owner, and the ending $2,
# and was signed at $time by one of $owner's keys in the role $3, which is $4 in base64.
signed() {
    [ "${1##*/}" = "$owner.$2" ] && [ -f "$1.sig" ] && [ -f "${1%/*}/allowed_signers" ] || return 1
    [ "$(printf '%s%s\n' "$body" "$line" | sha256sum)" = "$(sha256sum <"$1")" ] || return 1
    armour "$1.sig" "$scratch/statement.sig" "$4" other || return 1
    [ "$(sha256sum <"$scratch/statement.sig")" = "$(sha256sum <"$1.sig")" ] || return 1
    moment=${time%.*}
    while [ "$moment" != "${moment%%[-T:]*}" ]; do moment=${moment%%[-T:]*}${moment#*[-T:]}; done
    # Only lines that spell the role out: an open line would give every role to its key.
    grep -E "^[^ #]+ ([^ ]*,)?namespaces=\"([^\" ]*,)?$3(,[^\" ]*)?\"" "${1%/*}/allowed_signers" >"$scratch/role" \
        2>/dev/null # of a file that is no text it would say "matches" there; its lines are none then
    ssh-keygen -Y verify -f "$scratch/role" -I "$owner" -n "$3" -s "$1.sig" -O "verify-time=${moment}Z" <"$1" \
        >/dev/null 2>&1
}

# Checks the form and the signature of the approval $1 of the work $2; $3 is the sum of the plan.
approval() {
    {
        body=
        take && [ "$line" = '# opslib approval 1' ] || return 1
        keep || return 1
        kind=${line#'# kind '}
        case $line in '# kind approve' | '# kind break-glass') ;; *) return 1 ;; esac
        keep && [ "$line" = "# plan $2" ] || return 1
        keep && owner=${line#'# by '} && [ "$line" = "# by $owner" ] && is_owner "$owner" || return 1
        keep && time=${line#'# time '} && [ "$line" = "# time $time" ] && is_time "$time" || return 1
        keep && is_time "${line#'# expires '}" && [ "$line" = "# expires ${line#'# expires '}" ] || return 1
        keep || return 1
        case $line in '# reason '?*) kind= && keep || return 1 ;; esac
        [ "$kind" != break-glass ] && [ "$line" = "$3  plan.json" ] || return 1
        if IFS= read -r rest || [ -n "$rest" ]; then return 1; fi
    } <"$1"
    signed "$1" approval opslib-approve b3BzbGliLWFwcHJvdmU
}

# Checks the form and the signature of the mandate $1; $2 is the sum of the plan that it is for. What it covers is left.
mandate() {
    {
        body=
        take && [ "$line" = '# opslib mandate 1' ] || return 1
        keep && [ "$line" = '# kind give' ] || return 1
        keep && [ "$line" = "# plan ${line#'# plan '}" ] || return 1
        keep && owner=${line#'# by '} && [ "$line" = "# by $owner" ] && is_owner "$owner" || return 1
        keep && time=${line#'# time '} && [ "$line" = "# time $time" ] && is_time "$time" || return 1
        keep && is_time "${line#'# expires '}" && [ "$line" = "# expires ${line#'# expires '}" ] || return 1
        keep || return 1
        case $line in '# uses '[1-9]*) ;; *) return 1 ;; esac
        keep || return 1
        while [ "$line" != "${line#'# step '}" ]; do keep || return 1; done
        case $line in '# reason '?*) keep || return 1 ;; esac
        [ "$line" = "$2  plan.json" ] || return 1
        if IFS= read -r rest || [ -n "$rest" ]; then return 1; fi
    } <"$1"
    signed "$1" mandate opslib-mandate b3BzbGliLW1hbmRhdGU
}

# Checks the mandates that let the closed run $1 apply its plan, where run.json names any or some are there; $2 as below.
mandated() {
    named=
    case $1 in *-apply)
        named=$(grep -E '^  "mandate": "[0-9a-f]{64}",?$' "runs/$1/run.json" 2>/dev/null)
        named=${named#*'": "'}
        named=${named%%'"'*}
        ;;
    esac
    found=
    for path in "runs/$1/approvals"/*.mandate "runs/$1/approvals"/.*.mandate; do
        [ -e "$path" ] || continue
        found=yes
        mandate "$path" "$named" || error "$path: is no mandate of this run, or not signed as it should be"
    done
    [ -n "$named" ] || return 0
    # Cut off after it was registered and before they were kept: no step can have begun.
    [ -n "$found" ] || [ -z "$2" ] || return 0
    [ -n "$found" ] || error "runs/$1/approvals: holds no mandate"
    sum=
    [ ! -f "runs/$1/approvals/mandate-plan.json" ] || sum=$(sha256sum <"runs/$1/approvals/mandate-plan.json")
    [ "${sum%% *}" = "$named" ] || error "runs/$1/approvals/mandate-plan.json: is not the plan that run.json names"
}

# Checks what let the run $1 apply its plan; $2 is "cut" when the run was cut off, "open" while it is not closed.
plan() {
    sum=
    if [ -f "runs/$1/plan.json" ]; then
        sum=$(sha256sum <"runs/$1/plan.json")
        sum=${sum%% *}
    fi
    case $1 in *-apply)
        applies=$(grep -E '^  "applies": "[0-9a-f]{64}",?$' "runs/$1/run.json" 2>/dev/null)
        applies=${applies#*'": "'}
        applies=${applies%%'"'*}
        if ! is_sum "$applies"; then
            error "runs/$1/run.json: does not name the plan that it applies"
        else
            [ ! -e "$scratch/applied/$applies" ] || error "runs/$1/run.json: applies a plan that was applied before"
            : >"$scratch/applied/$applies"
            [ "$applies" = "$sum" ] || { [ -n "$2" ] && [ -z "$sum" ]; } ||
                error "runs/$1/plan.json: is not the plan that run.json names"
        fi
        ;;
    esac
    [ "$2" != open ] || return 0
    work=${1%-apply}
    case $1 in
        *-resume-[1-9]* | *-undo-[1-9]* | *-resolve-[1-9]*)
            count=${1##*-}
            case $count in *[!0-9]*) ;; *) work=${1%-*} && work=${work%-*} ;; esac
            ;;
    esac
    case $1 in *-undo-[1-9]*)
        # What let an undo happen is the plan of the work, or one of the undo alone, which has an id of its own.
        named=$(grep -o '"requester":"[^"]*","run":"[0-9A-Za-z-]*","steps":\[' "runs/$1/plan.json" 2>/dev/null | head -n 1)
        named=${named#*'","run":"'}
        [ -z "$named" ] || work=${named%%'"'*}
        ;;
    esac
    for path in "runs/$1/approvals"/*.approval "runs/$1/approvals"/.*.approval; do
        [ -e "$path" ] || continue
        approval "$path" "$work" "$sum" || error "$path: is no approval of this plan, or not signed as it should be"
    done
    mandated "$1" "$2"
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
    if [ -e "$scratch/removed/$1" ]; then
        removed=$((removed + 1))
        [ -d "runs/$1" ] || return 0
        printf 'warning: runs/%s: is still here, and an entry removes it\n' "$1"
    fi
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
        {
            IFS= read -r state
            IFS= read -r named
        } <"$scratch/closed/$1"
        printf '%s\n' "$named" >>"$scratch/runs.sums"
        journal "runs/$1" "$state"
        manifest "runs/$1"
        plan "$1" "${state:+cut}"
    else
        open=$((open + 1))
        printf 'warning: runs/%s: is open: still running, or cut off\n' "$1"
        journal "runs/$1" open
        plan "$1" open
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
        [ "$1" -le "$held" ] || held=$1
    else
        error "head: entry $1 is not the one that was noted or published: the archive was cut or rewritten"
    fi
}

newline='
'
entries=0 closed=0 open=0 quarantined=0 removed=0 head=none held=0 seq=0
used= unsigned=0 list= list_before= changed=0 added=' ' revoked=' ' told_of=' ' trusted=' '

command -v ssh-keygen >/dev/null || {
    error 'ssh-keygen is not there'
    exit 1
}
mkdir "$scratch" || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
for name in body copy copy/log opened closed quarantined applied held removed; do mkdir "$scratch/$name"; done
if [ -n "$signers" ] && ! trust "$signers"; then
    error 'the signers file cannot be read, or has a line that is not NAME namespaces="opslib-archive" ssh-ed25519 KEY'
    exit 1
fi

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
six='[0-9][0-9][0-9][0-9][0-9][0-9]'
if find log -type f ! -name "$six.entry" ! -name "$six.entry.sig" | grep -q .; then
    error 'log: holds a file that is no entry'
fi

last=$(find log -type f -name '*.entry' | grep -c .)
[ "$last" -gt 0 ] || error 'log: holds no entry'
before=
while [ $seq -lt "$last" ]; do
    seq=$((seq + 1))
    number=$((1000000 + seq))
    entry "${number#1}" $seq
    before=${number#1}
done

sums "$scratch/body.sums" "$scratch/body" log/
(cd "$scratch/copy" && find log -type f -exec sha256sum {} +) >"$scratch/log.sums"
sha256sum -c --status "$scratch/log.sums" 2>/dev/null || error 'log: a file holds bytes that no entry or signature has'
keys
for path in "$scratch"/opened/*; do
    [ ! -e "$path" ] || run "${path##*/}"
done
sums "$scratch/named.sums" . ''
sums "$scratch/runs.sums" . ''
strays runs
strays quarantine
if [ -n "$before" ]; then
    sum=$(grep "  log/$before\\.entry\$" "$scratch/log.sums")
    head=$seq:${sum%% *}
fi
for noted in "$@"; do holds "${noted%%:*}" "${noted#*:}"; done
finish
