"""A package of strangers, installed beside this one for as long as a test runs."""

from pathlib import Path


def install(site: Path, modules: dict[str, str], *entries: str) -> Path:
    """Lay it into `site`: its modules by name, and lines such as `audit.methods/spy = spying:Spy`."""
    about = site / "strangers-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: strangers\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("\n".join(["[molehunt]", *entries, ""]))
    for name, code in modules.items():
        (site / f"{name}.py").write_text(code)
    return site
