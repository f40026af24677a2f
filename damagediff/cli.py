"""The command line: arguments to values, one call, a few lines of output, an exit code.

Each command imports what it needs, so that help and a mistyped option are answered at once.
"""

from __future__ import annotations

import json
import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import __version__, cli_evidence, cli_gis, cli_options, cli_stderr, cli_terminal
from . import settings as options
from .cli_options import PATH
from .cut import Wish
from .errors import AlignmentRefused, DamagediffError, InputError, SettingsError

if TYPE_CHECKING:
    from .types import Alignment, Case, Comparison

EXAMPLES = """
\b
Examples:
  damagediff compare before.tif after.tif -o run
  damagediff compare before.png after.jpg -o run --before-date 2020-10-04 --after-date 2020-10-13 --gsd 0.5
  damagediff compare before.tif after.tif -o run --footprints buildings.geojson --json
  damagediff compare composite.jpg -o run --order after-first

"""


SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""Requests to stop; SIGHUP comes when a terminal closes, and does not exist on Windows."""


class Cli(click.Group):
    """Turns announced failures into one line on stderr and their exit code, and signals into a clean stop."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _announced(ctx):
            return super().invoke(ctx)


class Alone(click.Command):
    """The same for a command of another program."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _announced(ctx):
            return super().invoke(ctx)


@contextmanager
def _announced(ctx: click.Context) -> Iterator[None]:
    """Announced failures end in one line and their exit code, signals in a clean stop."""
    try:
        with _signals_raise(), cli_stderr.ours_alone(), cli_stderr.surroundings_told():
            yield
    except DamagediffError as error:
        click.echo(f"damagediff: {_plain(str(error))}", err=True)
        ctx.exit(error.exit_code)
    except MemoryError:
        click.echo(
            "damagediff: not enough memory for these images. Cut out the place, or reduce them", err=True
        )
        ctx.exit(InputError.exit_code)
    except KeyboardInterrupt as stop:
        click.echo("damagediff: stopped; what was begun is removed", err=True)
        ctx.exit(128 + (stop.args[0] if stop.args else signal.SIGINT))


@contextmanager
def _signals_raise() -> Iterator[None]:
    """The first signal to stop unwinds the run, which removes what it began; later ones are not heard."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only there can signals be handled
        return

    def stop(number: int, frame: object) -> None:
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt(number)

    before = {each: signal.getsignal(each) for each in SIGNALS}
    heard = [each for each in SIGNALS if before[each] not in (signal.SIG_IGN, None)]  # nohup ignores SIGHUP
    try:
        for each in heard:
            signal.signal(each, stop)
        yield
    finally:
        for each in SIGNALS:
            if before[each] is not None:
                signal.signal(each, before[each])


def _plain(text: str) -> str:
    """One line without control or bidirectional characters: names of files are hostile text."""
    return re.sub(
        r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]+", " ", text
    ).strip()


@click.group(cls=Cli, help=f"{EXAMPLES}Compare two images of one place: align, difference, report.")
@click.version_option(__version__, prog_name="damagediff")
def main() -> None:
    """Entry point of `damagediff`."""


@main.command()
@click.argument("before", type=PATH)
@click.argument("after", type=PATH, required=False)
@click.option("-o", "--out", type=PATH, help="Run folder to write.")
@cli_options.split_options
@click.option("--sensor", type=click.Choice(["optical", "sar"]), help="What took the images; sar: radar.")
@click.option(
    "--measure",
    type=click.Choice(["structure", "ssim", "cva", "irmad", "stack"]),
    help="What the score is made of; stack tests against --baseline images, the others are references.",
)
@click.option("--title", default="", help="What is compared, for the report.")
@click.option(
    "--event-date", metavar="DATE", help="When it happened: the report says if the images enclose it."
)
@cli_options.place_options
@cli_options.record_options
@cli_options.building_options
@click.option(
    "--aoi", type=PATH, help="Polygons or mask of the area of interest: nothing is reported outside it."
)
@cli_options.image_options
@cli_options.align_options
@cli_options.diff_options
@cli_options.trust_options
@cli_options.pdf_option
@cli_options.figure_options
@cli_gis.compare_option
@cli_options.dry_run_option
@cli_options.output_options
@cli_options.operator_option
@cli_options.dask_option
@cli_options.settings_options
def compare(before: Path, after: Path | None, out: Path | None, **given: Any) -> None:
    """Compare BEFORE with AFTER and write a run folder with report, figure, rasters and tables.

    With one picture that holds both, its two panels are found, cut out and compared; see split. With a case
    file (see init), everything is as written there.

    Exit codes: 0 done, 1 the Dask cluster was lost, 2 usage or settings, 3 an input cannot be used,
    4 alignment refused (the report says why), 6 an output cannot be written.
    """
    from . import case_file, cli_cases, cli_dry, cli_values

    if after is None and before.suffix.lower() == case_file.SUFFIX:
        case, settings, given = cli_cases.load(before, given | {"out": out})
        with cli_cases.in_keys(before.name):
            out, wish = given["out"], cli_values.wish(given, given["one_picture"])
    else:
        case, settings = cli_values.case(before, after or before, given), cli_values.settings(given)
        wish = cli_values.wish(given, after is None)
    if out is None:
        raise SettingsError("-o: name the run folder, or write output into the case file")
    cli_gis.check_out(given, out)
    with cli_cases.in_keys(before.name) if "one_picture" in given else nullcontext():
        if given["dry_run"]:
            cli_dry.compare(case, settings, out, given, wish)
            return
        with cli_values.opened(case, settings, given["allow_remote"] and wish is None) as case:
            _run(case, settings, out, given, wish)
    cli_gis.after_compare(out, given, _tell)


rio = Alone("damagediff", params=compare.params, callback=compare.callback, help=compare.help)
"""The plugin of rasterio's own command line: ``rio damagediff BEFORE AFTER -o RUN``."""


@main.command()
@click.argument("folder", type=PATH)
@click.option("--sample", is_flag=True, help="The case of the shipped sample pair, with its images.")
def init(folder: Path, sample: bool) -> None:
    """Write a commented case file, FOLDER/case.toml: name your images in it, then compare it.

    Exit codes: 0 done, 6 it exists already or cannot be written.
    """
    from . import case_template, cli_values

    path = case_template.write(folder, cli_values.samples() if sample else None)
    _tell(f"{path}: edit it, then: damagediff compare {path}")


@main.command()
@click.argument("cases", nargs=-1, required=True, type=PATH)
@click.option("-o", "--out", required=True, type=PATH, help="Folder for the runs and the summary.")
@click.option("--workers", type=click.IntRange(1), help="Cases at once; without it, one for each core.")
@cli_options.dask_option
@click.option("--json", "as_json", is_flag=True, help="Print summary.json on stdout.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing of single cases.")
@cli_options.dry_run_option
@cli_options.batch_settings_options
def batch(cases: tuple[Path, ...], out: Path, **given: Any) -> None:
    """Compare many CASES: case files, and CSV tables with a line for each pair of images.

    A case that fails never stops the others. Finished ones are verified and not made again. Writes a run
    folder for each, index.html, summary.json and summary.csv.

    Exit codes: 0 all done, 1 some could not be compared (the summary says which), 3 a table cannot be read.
    """
    from . import cli_cases, cli_dry

    if given["dry_run"]:
        cli_dry.batch(cases, out, given)
        return
    cli_cases.run(cases, out, given, _tell)


@main.command()
@click.argument("picture", type=PATH)
@click.option("-o", "--out", required=True, type=PATH, help="Folder to write.")
@cli_options.split_options
@cli_options.output_options
@cli_options.settings_options
def split(picture: Path, out: Path, **given: Any) -> None:
    """Find the two panels of one PICTURE, and write before.png, after.png and split.json.

    A picture on which no two panels show the same place is refused with exit code 3; candidates.png then
    shows what was considered.
    """
    from . import cli_values, evidence, folders, json_text, splitting, versions
    from .types import Source

    started, settings = datetime.now(UTC), cli_values.settings(given)
    evidence.created(started)
    folders.check_apart(out, [picture])
    bar = cli_terminal.progress(given["quiet"], given["verbose"])
    with folders.run_folder(out, given["overwrite"]) as folder, bar as progress:
        found = splitting.find(Source(picture), cli_values.wish(given, True) or Wish(), settings, progress)
        content = splitting.write(found, folder)
        listed = {"inputs": [content["original"]], "versions": versions.versions()}
        evidence.seal_folder(folder, listed, ["damagediff", *sys.argv[1:]], started)
    if given["as_json"]:
        click.echo(json_text.to_json(content), nl=False)
    if found.refusal is not None:
        raise InputError(f"{found.refusal}; see {out / 'candidates.png'}")
    for sentence in content["doubt"]:
        click.echo(_plain(sentence), err=True)


@main.command()
@click.argument("before", type=PATH)
@click.argument("after", type=PATH)
@click.option("-o", "--out", required=True, type=PATH, help="GeoTIFF to write.")
@cli_options.image_options
@cli_options.align_options
@cli_options.output_options
@cli_options.settings_options
def align(before: Path, after: Path, out: Path, **given: Any) -> None:
    """Only lay AFTER on BEFORE: write it on the working grid, and say how well it lies.

    Exit codes as for compare; nothing is written when the alignment is refused.
    """
    from . import case_files, cli_values, folders, json_text, notes, outputs, pipeline
    from .types import Case

    sources = cli_values.source("before", before, given), cli_values.source("after", after, given)
    case = Case(*sources, tie_points=given["tie_points"], exclude=given["exclude"])
    folders.check_new_file(out, given["overwrite"])
    folders.check_apart(out, [path for _, path in case_files.named(case)])
    settings = cli_values.settings(given)
    with (
        cli_values.opened(case, settings, given["allow_remote"]) as case,
        cli_terminal.progress(given["quiet"], given["verbose"]) as progress,
    ):
        pair, alignment = pipeline.align(case, settings, out, progress)
    if given["as_json"]:
        click.echo(json_text.to_json(outputs.alignment_results(alignment, pair.grid)), nl=False)
    _refuse(alignment)
    click.echo(_plain(_how_well(alignment)), err=True)
    for note in notes.of_hand_points(alignment.tie_points):
        _tell(f"note: {note}")


@main.command()
@click.option("-o", "--out", default=Path("reports/demo"), type=PATH, show_default=True)
@cli_options.pdf_option
@cli_options.output_options
@cli_options.settings_options
def demo(out: Path, **given: Any) -> None:
    """Compare the shipped SYNTHETIC sample pair."""
    from . import cli_values
    from .types import Case, Source

    folder = cli_values.samples()
    case = Case(
        before=Source(folder / "ganja_before.tif", credit="damagediff (synthetic)"),
        after=Source(folder / "ganja_after.tif", credit="damagediff (synthetic)"),
        title="SYNTHETIC sample: Ganja before and after 11 October",
        event=datetime(2020, 10, 11, tzinfo=UTC),
        footprints=folder / "ganja_footprints.geojson",
    )
    _run(case, cli_values.settings(given), out, given | {"overwrite": True})


@main.command()
@click.argument("images", nargs=-1, required=True, type=PATH)
@cli_options.private_option
@cli_options.damaged_option
@cli_options.remote_option
@click.option("--json", "as_json", is_flag=True, help="One JSON list on stdout.")
def info(images: tuple[Path, ...], as_json: bool, **given: bool) -> None:
    """Say what each IMAGE is and what its file tells, without comparing anything."""
    from . import file_facts, outputs, raster, summary
    from .types import Source

    read, private = options.ReadSettings(accept_damaged=given["accept_damaged"]), given["show_private"]
    with raster.opened([Source(path) for path in images], read, given["allow_remote"]) as sources:
        inspected = [raster.inspect(source, read) for source in sources]
        found = [(raster.describe(image), file_facts.examine(image, private)) for image in inspected]
    if as_json:
        told = [first | {"file": outputs.file_fields(facts)} for first, facts in found]
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    for first, facts in found:
        for key, value in (*first.items(), *summary.file_lines(facts)):
            click.echo(f"{key:26s} {_plain(str(value))}")
        click.echo()


@main.command(name="settings")
@cli_options.settings_options
def show_settings(**given: Any) -> None:
    """Print all settings as TOML, with what was given in place."""
    from . import cli_values

    click.echo(options.to_toml(cli_values.settings(given)), nl=False)


@main.command()
@click.argument("run", type=PATH)
@cli_evidence.verify_options
def verify(run: Path, **given: Any) -> None:
    """Check a RUN folder: every file by its hash, its custody log, and what lies in it that should not.

    Exit codes: 0 it agrees with its manifest, 5 it does not (each file is named).
    """
    cli_evidence.verify(run, given, _tell, cli_terminal.progress)


@main.command()
@click.argument("run", type=PATH)
@click.argument("review", type=PATH)
@cli_options.font_option
@cli_options.operator_option
def review(run: Path, review: Path, font: Path | None, operator: str | None) -> None:
    """Put REVIEW, the decisions exported from a report, into its RUN, and draw the report again with them.

    Exit codes: 0 done, 3 the review or the font cannot be read, 5 it is of another run or the run does not
    agree with its manifest, 6 the run cannot be written.
    """
    from . import reviewing

    added = reviewing.add(run, review, operator, font)
    _tell(f"{run}: {len(added.judgements)} judgements of {added.reviewer} added as {added.name}")
    if lost := reviewing.font_left_out(run, font):
        _tell(
            f"note: drawn again without {lost}, which the run was made with: characters may be boxes now; "
            "see --font"
        )


@main.command(name="report")
@click.argument("run", type=PATH)
@click.option("-o", "--out", required=True, type=PATH, help="Folder to write.")
@cli_options.figure_options
@cli_options.operator_option
def draw(run: Path, out: Path, **given: Any) -> None:
    """Draw figures and report of a finished RUN again, without computing anything.

    Exit codes: 0 done, 2 usage, 3 the font cannot be used, 5 the run does not agree with its manifest,
    6 the folder cannot be written.
    """
    cli_evidence.draw(run, out, given, _tell)


@main.command()
@click.argument("run", type=PATH)
@click.option("-o", "--out", required=True, type=PATH, help="ZIP file to write.")
@click.option("--no-pictures", is_flag=True, help="Leave out images, figures and the report's pictures.")
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
@cli_options.operator_option
def bundle(run: Path, out: Path, no_pictures: bool, overwrite: bool, operator: str | None) -> None:
    """Pack a RUN folder into one ZIP file that has the same bytes every time.

    Exit codes: 0 done, 5 the run does not agree with its manifest, 6 the file cannot be written.
    """
    cli_evidence.bundle(
        run, out, (not no_pictures, overwrite), operator, lambda words: click.echo(_plain(words), err=True)
    )


@main.command()
@click.argument("run", type=PATH)
@click.option("-o", "--out", required=True, type=PATH, help="Folder to write.")
@cli_gis.options
@click.option("--no-pictures", is_flag=True, help="Leave out the two images.")
@cli_options.operator_option
def export(run: Path, out: Path, **given: Any) -> None:
    """Write a georeferenced RUN for QGIS, Google Earth and other maps, without computing anything.

    Exit codes: 0 done, 2 usage, or a format needs what is not installed, 3 the pictures are not georeferenced
    or not comparable, 5 the run does not agree with its manifest, 6 the folder cannot be written.
    """
    cli_gis.export(run, out, given, _tell)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def doctor(as_json: bool) -> None:
    """Look whether everything that a run needs is there and works on this machine.

    Versions, formats, coordinate systems, the sandbox (tried), fonts and scripts, disk, memory, extras. Each
    line is ok, a note, or a problem with what to do.

    Exit codes: 0 nothing that is needed is missing, 1 something is.
    """
    from . import cli_doctor

    cli_doctor.tell(as_json)


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a script by which SHELL completes commands, options and file names.

    bash: eval "$(damagediff completion bash)" in ~/.bashrc; zsh: the same in ~/.zshrc, after compinit;
    fish: damagediff completion fish > ~/.config/fish/completions/damagediff.fish
    """
    from . import cli_completion

    click.echo(cli_completion.script(main, shell), nl=False)


def _tell(words: str) -> None:
    click.echo(_plain(words), err=True)


def _run(
    case: Case, settings: options.Settings, out: Path, given: dict[str, Any], wish: Wish | None = None
) -> None:
    """Compare, write the run folder, say what was found; with a `wish`, both sources name one picture."""
    from . import pace, runs, splitting, summary

    ahead = pace.stages(settings.trust.selftest, len(case.baselines), wish is not None)
    order = runs.Order(
        (cli_gis.program(), *sys.argv[1:]), given["overwrite"], given.get("operator"), given.get("dask")
    )
    runs.check(case, settings)
    with cli_terminal.progress(given["quiet"], given["verbose"], ahead) as progress:
        if wish is not None:
            case = splitting.cut_case(case, wish, settings, progress)
        comparison = runs.make(case, settings, out, order, progress)
    if settings.report.animate and not summary.told(comparison):
        _tell("no moving picture: the two pictures are not comparable, and would seem to move")
    if settings.report.embed and not summary.told(comparison):
        _tell("nothing for a news page: the two pictures are not comparable")
    _say(comparison, out, given["as_json"])


def _say(comparison: Comparison, out: Path, as_json: bool) -> None:
    from . import outputs, summary

    if as_json:
        click.echo(outputs.results_json(comparison), nl=False)
    click.echo(f"{comparison.verdict}: {_plain(summary.finding(comparison))}", err=True)
    for note in comparison.notes:
        click.echo(f"note: {_plain(note)}", err=True)
    click.echo(f"report: {_plain(str(out / 'report.html'))}", err=True)
    _refuse(comparison.alignment)


def _refuse(alignment: Alignment) -> None:
    """Raise when the alignment was refused."""
    if not alignment.accepted:
        raise AlignmentRefused(f"alignment refused: {alignment.reason}. {alignment.advice}".rstrip())


def _how_well(alignment: Alignment) -> str:
    """One line on an accepted alignment."""
    points = alignment.tie_points
    error = "no check points" if alignment.rmse_px is None else f"check-point RMSE {alignment.rmse_px:.2f} px"
    return f"{alignment.model}, {error}, {points.count('fit')} tie points; {alignment.reason}"
