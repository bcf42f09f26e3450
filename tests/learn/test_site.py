"""The lessons as web pages, read back without a browser: whole, linked, readable, and without solutions."""

from __future__ import annotations

import importlib.util
import re

import pytest
from html_pages import Reader, broken_links, contrast, variables

from minidepth import cli
from minidepth.errors import InputError
from minidepth.learn.check import checks_of
from minidepth.learn.errors import LessonError
from minidepth.learn.library import lessons
from minidepth.learn.site.build import build_site
from minidepth.learn.site.colors import DARK, GROUNDS, LIGHT, style_sheet
from minidepth.learn.site.figures import lighter
from minidepth.learn.site.page import asset
from minidepth.learn.site.runs import printed_by, run_lesson, with_signs

pytest.importorskip("markdown_it", reason="the pages need it: pip install '.[site]'")
pytest.importorskip("pygments", reason="the pages need it: pip install '.[site]'")

from site_of_lessons import ALT, fake_run, site_of_all, small_lesson  # noqa: E402

NAMES = ["index", *(lesson.slug for lesson in lessons().values())]
each_page = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return site_of_all(tmp_path_factory.mktemp("all"))


@pytest.fixture(scope="module")
def pages(site):
    return {name: Reader((site / f"{name}.html").read_text(encoding="utf-8")) for name in NAMES}


@pytest.fixture
def small(tmp_path):
    """The page of a small lesson."""
    lesson = small_lesson(tmp_path, code="page.figure(fig, 'one', alt='')")
    fake_run(tmp_path / "runs", lesson.slug, ["one"], rows=100)
    build_site(tmp_path / "site", tmp_path / "runs", chosen=[lesson])
    return (tmp_path / "site" / "01_small.html").read_text(encoding="utf-8")


@each_page
def test_a_page_is_whole(pages, name):
    page = pages[name]
    assert page.all("html")[0].attributes["lang"] == "en"
    assert len(page.all("title")) == len(page.all("h1")) == len(page.all("main")) == len(page.all("header")) == 1
    (description,) = [one for one in page.all("meta") if one.attributes.get("name") == "description"]
    assert 40 <= len(description.attributes["content"]) <= 200
    levels = [int(heading.tag[1]) for heading in page.all("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels[0] == 1 and all(low + 1 >= high for low, high in zip(levels, levels[1:]))
    assert len(set(page.ids())) == len(page.ids())
    assert [one.attributes["src"] for one in page.all("script")] == ["site.js"]
    assert not page.all("style", "iframe", "base", "form")
    labels = [nav.attributes["aria-label"] for nav in page.all("nav")]
    assert len(set(labels)) == len(labels)
    assert all(link.text.strip() for link in page.all("a"))


@each_page
def test_the_first_stop_of_the_keyboard_leads_to_the_text_and_nothing_is_out_of_order(pages, name):
    page = pages[name]
    first = page.all("a", "button", "summary")[0]
    assert first.attributes["href"] == "#main"
    assert {one.attributes["tabindex"] for one in page.elements if "tabindex" in one.attributes} == {"-1"}
    assert not any(key.startswith("on") or key == "accesskey" for one in page.elements for key in one.attributes)


@each_page
def test_figures_have_words_and_numbers(pages, name):
    figures = pages[name].all("img")
    assert bool(figures) == (name != "index")
    for image in figures:
        assert image.attributes["alt"] == ALT
        assert (image.attributes["width"], image.attributes["height"]) == ("70", "40")
    for cell in pages[name].all("th"):
        assert cell.attributes["scope"] in ("col", "row")
    assert all(table.within("details") for table in pages[name].all("table") if table.within("figure"))


def test_no_link_is_broken_and_no_file_idle(site):
    assert broken_links(site) == []


@pytest.mark.parametrize("lesson", lessons().values(), ids=lambda lesson: lesson.slug)
def test_a_lesson_is_shown_with_its_hints_and_without_its_solutions(site, pages, lesson):
    page, text = pages[lesson.slug], pages[lesson.slug].all("main")[0].text
    code = "\n".join(block.text for block in page.all("pre") if block.attributes.get("class") == "code")
    for exercise in lesson.exercises:
        assert f'raise NotImplementedError("exercise {exercise}")' in code
        hints = [hint for one in checks_of(lesson) if one.exercise == exercise for hint in one.hints]
        lines = [f"Hint {number} of {len(hints)} for {exercise}" for number in range(1, len(hints) + 1)]
        assert [one.text for one in page.all("summary") if one.text.endswith(f" for {exercise}")] == lines
        assert all(hint.replace("`", "") in text for hint in hints)
        for line in lesson.written(exercise).splitlines():
            assert len(line.strip()) <= 25 or line.strip() in lesson.stub() or line.strip() not in code
    assert not any("open" in details.attributes for details in page.all("details"))
    assert "{{" not in re.sub(r"<pre.*?</pre>", "", (site / f"{lesson.slug}.html").read_text(), flags=re.DOTALL)
    assert lesson.question in text
    for heading in page.all("h2"):
        assert any(link.attributes["href"] == f"#{heading.attributes['id']}" for link in page.all("a"))


@pytest.mark.parametrize("lesson", lessons().values(), ids=lambda lesson: lesson.slug)
def test_its_prose_has_no_emphasis_that_was_a_product(site, lesson):
    text = (site / f"{lesson.slug}.html").read_text(encoding="utf-8")
    assert re.findall(r"\w<(?:em|strong)>|</(?:em|strong)>\w|<blockquote>", text) == []


def test_the_index_has_titles_questions_and_minutes(pages):
    text = pages["index"].all("main")[0].text
    for lesson in lessons().values():
        assert f"{lesson.number}. {lesson.title}\n{lesson.question}\n{lesson.minutes} minutes" in text.replace("`", "")


def test_neighbours_are_linked(pages):
    for before, name, after in zip(["", *NAMES[1:]], NAMES[1:], [*NAMES[2:], ""]):
        rels = {
            one.attributes["rel"]: one.attributes["href"] for one in pages[name].all("a") if "rel" in one.attributes
        }
        assert rels == {rel: f"{to}.html" for rel, to in (("prev", before), ("next", after)) if to}


def test_colours_can_be_read_in_both_themes():
    light, dark, also_dark = variables(style_sheet())
    assert (light, dark, also_dark) == (LIGHT, DARK, DARK)
    for colors in (light, dark):
        for name in set(colors) - {*GROUNDS, "line"}:
            for ground in GROUNDS:
                assert contrast(colors[name], colors[ground]) >= 4.5, (name, ground)
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


def test_the_style_sheet_has_no_other_colours_and_asks_for_nothing(site):
    css = asset("site.css")
    assert set(re.findall(r"#[0-9a-fA-F]{3,8}\b", css)) == {"#fff"}  # the paper under a figure
    for text in ((site / "site.css").read_text(), (site / "site.js").read_text()):
        assert not re.search(r"url\(|@import|https?:|//cdn|fetch\(|XMLHttpRequest|cookie|eval\(", text)
    assert set(re.findall(r"var\(--(\w+)\)", css)) <= set(LIGHT)


def test_prose_of_a_small_lesson(small):
    assert '<h1 id="1-a-small-lesson-on-x-y">1. A &lt;small&gt; lesson on <code>x_y</code></h1>' in small
    assert "<title>1. A &lt;small&gt; lesson on x_y - minidepth lessons</title>" in small
    assert 'content="Is 2*3*4 &quot;large&quot;? Lesson 1, 90 minutes, plain NumPy."' in small
    assert "say w*x*y, and <code>lesson 2</code> says &lt;b&gt;b*c*d&lt;/b&gt;" in small
    assert "Measured: 0.50" in small
    assert '<pre class="formula"><code>y = a*b*c &lt; 3\n</code></pre>' in small
    assert small.count('id="what-is-asked"') == small.count('id="what-is-asked-2"') == 1
    assert '<th scope="col">a</th>' in small


def test_hints_are_plain_sentences(small):
    assert "<summary>Hint 1 of 2 for 1.1</summary><p>Is a*b*c &lt; 3?</p>" in small
    assert "<p>Write <code>x + x</code>, or 2*x*1.</p>" in small
    assert "the solution" not in small


def test_lessons_are_linked_where_they_are_named(tmp_path):
    both = [small_lesson(tmp_path, number) for number in (1, 2)]
    for lesson in both:
        fake_run(tmp_path / "runs", lesson.slug, [])
    build_site(tmp_path / "site", tmp_path / "runs", chosen=both)
    one, two = ((tmp_path / "site" / f"0{number}_small.html").read_text() for number in (1, 2))
    assert '<a href="02_small.html">Lesson 2</a> and <em>lesson 7</em>' in one
    assert "<p>Lesson 2 and <em>lesson 7</em>" in two
    assert broken_links(tmp_path / "site") == []


def test_a_long_table_is_cut_and_its_file_is_whole(small, tmp_path):
    assert small.count('<th scope="row">') == 60
    assert "The first 60 of 100 rows." in small
    assert "<td>0.3333</td>" in small and "size &lt;m&gt;" in small
    assert len((tmp_path / "site/figures/01_small/one.csv").read_text().splitlines()) == 101


def test_the_lighter_picture_is_taken(tmp_path):
    (tmp_path / "a.svg").write_bytes(bytes(range(256)) * 20)
    (tmp_path / "a.png").write_bytes(bytes(range(256)))
    assert lighter(tmp_path / "a.svg", tmp_path / "a.png").suffix == ".png"
    (tmp_path / "a.png").write_bytes(bytes(range(256)) * 4)
    assert lighter(tmp_path / "a.svg", tmp_path / "a.png").suffix == ".svg"


def test_a_lesson_is_run_and_its_output_known_by_cell(tmp_path):
    code = """import json, os, pathlib
from minidepth.learn import open_page
page = open_page("01_small")
page.guess("half", None)
page.measured(half=twice(0.25))
folder = pathlib.Path(os.environ["MINIDEPTH_WORK"]) / "figures" / "01_small"
(folder / "figures.json").write_text("{}")
print("two\\nlines <b>")"""
    lesson = small_lesson(tmp_path, code=code)
    assert with_signs(lesson.text).count("\n") == lesson.text.count("\n")
    site = tmp_path / "site"
    said = []
    build_site(site, say=said.append, chosen=[lesson])
    assert re.fullmatch(r"01_small: ran in \d+ s", said[0])
    text = (site / "01_small.html").read_text()
    assert "<summary>What this prints</summary>\n<pre><code>two\nlines &lt;b&gt;</code></pre></details>" in text


def test_output_is_told_apart_by_cells():
    assert printed_by("noise\n\x1e2\nguess a: none\n\x1e4\n\n  x\nmeasured b: 1\ny\n\x1e12\n") == {"4": "  x\ny"}


def test_a_lesson_that_fails_ends_it_with_its_last_line(tmp_path):
    lesson = small_lesson(tmp_path, code='raise RuntimeError("no room")')
    with pytest.raises(LessonError, match="01_small: its script fails: RuntimeError: no room"):
        run_lesson(lesson, tmp_path / "runs")


def test_figures_that_are_missing_are_named(tmp_path):
    lesson = small_lesson(tmp_path)
    with pytest.raises(LessonError, match="has no figures of 01_small; run these first, or leave --figures out"):
        build_site(tmp_path / "site", tmp_path / "nowhere", chosen=[lesson])
    fake_run(tmp_path / "runs", lesson.slug, ["one"])
    with pytest.raises(LessonError, match="there is a figure one, but the lesson draws none"):
        build_site(tmp_path / "site", tmp_path / "runs", chosen=[lesson])


def test_other_peoples_files_are_left_alone_and_ours_written_anew(tmp_path):
    lesson, site = small_lesson(tmp_path), tmp_path / "site"
    fake_run(tmp_path / "runs", lesson.slug, [])
    for _ in range(2):
        assert [path.name for path in build_site(site, tmp_path / "runs", chosen=[lesson])] == [
            "index.html",
            "01_small.html",
        ]
    (site / "index.html").write_text("<h1>mine</h1>")
    with pytest.raises(InputError, match="has other files in it; name a new folder"):
        build_site(site, tmp_path / "runs", chosen=[lesson])
    with pytest.raises(InputError, match="is a file; name a folder"):
        build_site(site / "index.html", tmp_path / "runs", chosen=[lesson])


def test_a_missing_library_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert cli.main(["learn", "build-site", str(tmp_path / "site")]) == 2
    assert capsys.readouterr().err == (
        "minidepth: build-site needs markdown-it-py and Pygments: pip install 'minidepth[site]'\n"
    )
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["build-site"], "build-site takes a folder for the pages"),
        (["build-site", "x", "--notebook"], "no notebooks"),
        (["build-site", "x", "--jobs", "0"], "--jobs 0: must be at least 1"),
        (["4", "x"], "DIR x: only for minidepth learn build-site DIR"),
        (["4", "--figures", "x"], "--figures x: only for"),
    ],
)
def test_what_can_be_mistyped_is_said(words, says, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["learn", *words]) == 2
    assert says in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_command_builds_it(tmp_path, capsys, monkeypatch):
    lesson = small_lesson(tmp_path)
    fake_run(tmp_path / "runs", lesson.slug, [])
    monkeypatch.setattr("minidepth.learn.site.build.lessons", lambda: {1: lesson})
    assert cli.main(["learn", "build-site", str(tmp_path / "site"), "--figures", str(tmp_path / "runs")]) == 0
    assert capsys.readouterr().out == f"2 pages; open {tmp_path / 'site' / 'index.html'} in a browser\n"
    assert (tmp_path / "site" / "01_small.html").is_file()
