"""Texts that people and programs have used to break out of the place that a value was meant for."""

from itertools import cycle, islice

SQL = """
'; DROP TABLE things; --|" OR 1=1 --|' OR '1'='1|x'); DELETE FROM things; --|1; COPY things TO PROGRAM 'id'
$$; SELECT pg_sleep(9); $$|\\'; DROP TABLE things; --|things"; DROP DATABASE valuecanvas; --
x' UNION SELECT usename FROM pg_user--
%(core)s|%s|:name|{0}|E'\\x27'|U&'d\\0061t\\+000061'|/*|*/ 1 /*|pg_catalog.pg_authid|public.things; TRUNCATE things
x" OWNER TO postgres --
1 OR 1=1|admin'--|' || (SELECT version()) || '|'; SET ROLE postgres; --|";\\connect postgres|\\! id
\\copy things from /etc/passwd
"""
SHELL = """
$(id)|`id`|; id|| id|&& id|& id &|> /tmp/hit|< /etc/passwd|$IFS$9id|${HOME}|~|~root|*|?|[a-z]|{a,b}|!!|#|x;reboot
$(curl 127.0.0.1)|'$(id)'
"$(id)"|\\|\\\\|x\\;id|$'\\x41'|<(id)|$((1+1))|`sleep 9`|a;b|a b|a'b|a"b|;|'|"|$|(|)|<|>
"""
DASHES = """
-|--|-h|--help|-f/etc/passwd|--file=/etc/passwd|--host=127.0.0.2|--dbname=postgres|-rf|--command=id
-oProxyCommand=id|--environment=production|-x=1
"""
PATHS = """
../x|../../etc/passwd|..|.|./x|/etc/passwd|//x|x//y|x/../../y|..\\..\\x|C:\\x|\\\\host\\share|x/./y|.hidden|x/.
x/..|.../...|/proc/self/environ
%2e%2e%2fx|%2e%2e/x|..%2f..%2fx|..%252fx|%c0%ae%c0%ae/x|file:///etc/passwd|/dev/stdin|x/|/|CON|NUL|x\u2215..\u2215y
~/../x|x.dump/../../y
"""
URLS = """
http://127.0.0.2/|http://169.254.169.254/latest/meta-data/|http://[::1]/|http://0/|http://2130706433/
gopher://127.0.0.1:6379/_FLUSHALL|ftp://x/
//evil.example|https:evil|http://a@127.0.0.2/|http://127.0.0.1@evil.example/|http://127.0.0.1#@evil/
http://127.0.0.1?@evil/|http://evil%2eexample/
javascript:alert(1)|data:text/html,x|postgresql://u:p@127.0.0.2/x|postgresql://127.0.0.1/x?host=127.0.0.2
redis://127.0.0.2|s3://other/x|dict://x:1/
http://localhost.evil.example/|http://127.1/|http://x:99999/|http://x:-1/|http:///x|http://x\\@y/|host=127.0.0.2
host=/tmp|dbname=x host=127.0.0.2
"""
KUBERNETES = """
x --namespace=kube-system|deployment/x|*/x|-n kube-system|x,y|Name_With_Caps|{"spec":{"replicas":0}}
[{"op":"remove","path":"/spec"}]
metadata.name=x|app in (a,b)|!app|x=y,z!=w|system:masters|kube-system/secrets|--all|0x10|{"$ref":"x"}|x.y.z.|-x-|x_y!
"""
LINES = [
    "x\r\nX-Injected: 1",
    "x\nSet-Cookie: a=b",
    "x\r\n\r\nGET / HTTP/1.1",
    "x%0d%0aX: 1",
    "x\u010d\u010aX: 1",
    *(f"x{end}y" for end in "\u2028\u2029\x0b\x0c\x85\t\r\n"),
    "\r",
    "\n",
    "\r\n",
    "\t",
    "1\t",
    "1\n",
    "latest\n",
    "x\r\nFLUSHALL\r\n",
    "*1\r\n$8\r\nFLUSHALL\r\n",
    "x\nCONFIG SET dir /tmp",
    "localhost:*:*:*:x\n*:*:*:*:y",
]
CACHE = """
llm:*|[lb]*|bull:\\*|?ull:|\\|{x}|x{y}z|EVAL 'return 1' 0|x 0 MATCH *|bull::x|:x|x:|FLUSHALL|*1
"""
FORMATS = """
%s|%n|%x%x%x%n|%d|%%|{}|{0}|{0.__class__}|{x.__init__.__globals__}|{self}|{{7*7}}|{% raw %}|{{config}}|${7*7}
#{7*7}|<%= 7*7 %>|{{''.__class__}}
{%import os%}{{os.popen('id')}}|__import__('os').system('id')|0; open('hit','w')|1 if open('hit','w') else 2
lambda: 0|eval('1')|"+open('hit')+"|"""
MARKUP = """
<script>alert(1)</script>|<img src=x onerror=alert(1)>|"><svg onload=alert(1)>|</style>|<!--|]]>|<?xml?>|&lt;
&#x3c;|javascript&colon;x|<a href=//x>
<!ENTITY x SYSTEM "file:///etc/passwd">|[x](javascript:alert(1))|!python/object/apply:os.system ["id"]|*anchor
&anchor|? x|- x|x: y|@x|=1+1|=cmd|' /C calc'!A0
"""
UNICODE = [
    "\u0430ge",
    "lat\u0435st",
    "latest\u200b",
    "\u202etsetal",
    "latest\u00a0",
    "\uff0e\uff0e\uff0f",
    "\u2024\u2024/x",
    "\uff07 OR 1",
    "\u02bc; --",
    "lat\u00e9st",
    "lat\u0065\u0301st",
    "\u0661\u0662\u0663",
    "\u00b2",
    "\u2160",
    "\ufeffx",
    "\U0001f4a3",
    "\u0000",
    "x\x00y",
    "\x1b[31mred",
    "\x1b]0;title\x07",
    "\x07",
    "\x08\x08",
    "\x7f",
    "x\x00.dump",
    "%00",
    "x%00y",
    "\u017fchema",
    "\u212a",
    "\u0131",
    "\U000e0041",
    "x\ufffe",
]
NUMBERS = """
nan|NaN|inf|-inf|Infinity|1e3|1E999|0x10|0o7|0b1|1_000|+1|--1|1,5|1.5.1|.5|5.|00|01|-0.0.|1 |  1|\u0661|1;2|1/2|1+1
1j|1L|True|None|null|1e|e1|1__0|99999999999999999999
"""
OTHER = [
    "",
    "|",
    "| id",
    "|| id",
    "x|id",
    "${x|id}",
    "{{x|safe}}",
    " ",
    "   ",
    "x ",
    " x",
    "x" * 1001,
    "A" * 5000,
    "../" * 400,
    "%s" * 600,
    "9" * 400,
    "a." * 300,
    "(" * 1200,
    "true ",
    "TRUE",
    "yes",
]


def _words(*texts: str) -> list[str]:
    return [word for text in texts for line in text.strip("\n").split("\n") for word in line.split("|")]


BASE = list(
    dict.fromkeys(
        [
            *_words(SQL, SHELL, DASHES, PATHS, URLS, KUBERNETES, CACHE, FORMATS, MARKUP, NUMBERS),
            *LINES,
            *UNICODE,
            *OTHER,
        ]
    )
)
"""Each of them once, as it is."""

_AROUND = ("{}", "latest{}", "{}latest", "20261123T130614Z-a1b2c3{}", "bull:{}", "{}/../x", "public.{}", "a-{}-b")


def hostile(number: int) -> list[str]:
    """Return so many different texts: each as it is first, spread over all sorts, then within what looks like ours."""
    most = min(number, len(BASE))
    first = [BASE[at * len(BASE) // most] for at in range(most)]
    within = (around.replace("{}", word) for around in cycle(_AROUND[1:]) for word in BASE)
    return list(dict.fromkeys([*first, *islice(within, max(0, number - len(first)))]))
