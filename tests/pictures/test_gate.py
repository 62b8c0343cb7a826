"""What is not on the gate's lists does not pass, whoever drew it."""

import pytest

from opslib.pictures import gate

OPEN = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1">'

REFUSED = {
    "script": f"{OPEN}<script>1</script></svg>",
    "handler": f'{OPEN}<rect onclick="1"/></svg>',
    "handler_on_root": '<svg xmlns="http://www.w3.org/2000/svg" onload="1"/>',
    "upper_case": f"{OPEN}<SCRIPT>1</SCRIPT></svg>",
    "foreign_object": f"{OPEN}<foreignObject/></svg>",
    "html_inside": f'{OPEN}<p xmlns="http://www.w3.org/1999/xhtml">x</p></svg>',
    "image": f'{OPEN}<image href="http://e.example/x"/></svg>',
    "use": f'{OPEN}<use href="#a"/></svg>',
    "link": f'{OPEN}<a href="javascript:1"><text>x</text></a></svg>',
    "href": f'{OPEN}<rect href="#x"/></svg>',
    "xlink": f'{OPEN}<g xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="#x"/></svg>',
    "style_element": f"{OPEN}<style>*{{}}</style></svg>",
    "style_attribute": f'{OPEN}<rect style="fill:url(http://e.example)"/></svg>',
    "outside_paint": f'{OPEN}<rect fill="url(http://e.example/#a)"/></svg>',
    "outside_paint_quoted": f"{OPEN}<rect fill=\"url('#a') red\"/></svg>",
    "escaped_paint": f'{OPEN}<rect fill="u\\72l(#a)"/></svg>',
    "animate": f'{OPEN}<animate attributeName="x"/></svg>',
    "set": f'{OPEN}<set attributeName="onclick" to="1"/></svg>',
    "class": f'{OPEN}<rect class="skip"/></svg>',
    "nested": f"{OPEN}<svg/></svg>",
    "other_root": "<g/>",
    "html_root": "<html/>",
    "doctype": f'<!DOCTYPE svg SYSTEM "http://e.example/x.dtd">{OPEN}</svg>',
    "entity": f'<!DOCTYPE svg [<!ENTITY a "aaaa">]>{OPEN}<text>&a;</text></svg>',
    "instruction": f'<?xml-stylesheet href="http://e.example/x.css"?>{OPEN}</svg>',
    "two_roots": f"{OPEN}</svg>{OPEN}</svg>",
    "open": OPEN,
    "none": "",
    "no_xml": "not a drawing",
    "half_character": f"{OPEN}<g \ud800/></svg>",
    "bad_id": f'{OPEN}<pattern id="a b"/></svg>',
    "deep": OPEN + "<g>" * 200 + "</g>" * 200 + "</svg>",
    "very_deep": OPEN + "<g>" * 20_000 + "</g>" * 20_000 + "</svg>",
    "many": OPEN + "<g/>" * 5000 + "</svg>",
    "large": OPEN + "<text>" + "x" * 300_000 + "</text></svg>",
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_drawing_with_anything_else_is_refused_as_a_whole(name):
    with pytest.raises(gate.Unsafe):
        gate.checked(REFUSED[name])


def test_ids_get_a_prefix_and_paints_follow_them():
    pattern = '<defs><pattern id="p" width="4" height="4"><rect width="2" height="2"/></pattern></defs>'
    svg = f'{OPEN}{pattern}<rect fill="url(#p)"/></svg>'
    assert gate.checked(svg, ids="pic-7-").count("pic-7-p") == 2


def test_comments_and_text_in_disguise_do_not_come_through():
    svg = f"{OPEN}<!-- x --><text><![CDATA[<script>1</script>]]></text></svg>"
    assert gate.checked(svg).count("<script") == 0
    assert "&lt;script&gt;" in gate.checked(svg)


def test_a_fixed_height_is_taken_away_so_that_the_page_decides():
    assert "height" not in gate.checked('<svg xmlns="http://www.w3.org/2000/svg" width="9000" height="9000"/>')
