# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads a page of `ckptctl report`: report_page.py FILE prints its elements' counts and texts; fails on
scripts, on anything from elsewhere, and on elements that do not nest."""
import collections
import html.parser
import sys

VOID = {"meta", "br", "link", "img"}


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.classes, self.texts = [], collections.Counter(), []

    def handle_starttag(self, tag, attrs):
        names = dict(attrs)
        assert tag not in ("script", "img", "link", "iframe", "object"), tag
        assert not any(n.startswith("on") or n in ("src", "href", "style") for n in names), attrs
        if names.get("class"):
            self.classes[names["class"]] += 1
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, tag

    def handle_data(self, data):
        if data.strip():
            self.texts.append(data.strip())


page = Page()
with open(sys.argv[1], encoding="utf-8") as f:
    page.feed(f.read())
page.close()
assert not page.open, page.open
# the key has one of each
for name in ("running", "waiting", "lost", "saved", "rejected"):
    print(name, page.classes[name] - 1)
print("\n".join(page.texts))
