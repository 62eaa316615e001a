"""Commands of an installation: ``app`` starts it, ``doctor`` checks it."""

from pathlib import Path

import click

from skinlens.cli import options
from skinlens.inference.release import weights_directory


@click.command("app")
@click.option("--host", default="127.0.0.1", help="127.0.0.1 by default: this computer only. Others need accounts.")
@click.option("--port", type=int, default=8501, help="8501 by default; the next free one if it is taken.")
@click.option(
    "--behind-proxy",
    metavar="https://HOST/PATH",
    default="",
    envvar="SKINLENS_BEHIND_PROXY",
    help="The address at which a proxy with TLS forwards to here. Needs accounts.",
)
@click.option(
    "--oidc",
    metavar="FILE",
    default="",
    envvar="SKINLENS_OIDC",
    help="Settings of an OpenID Connect provider with which people sign in; its secret is in the file, readable by you "
    "alone, or in SKINLENS_OIDC_SECRET.",
)
@click.option("--no-token", is_flag=True, help="Let every account of this computer in. Only where you are alone on it.")
def serve_app(host: str, port: int, behind_proxy: str, oidc: str, *, no_token: bool) -> int:
    """The app, in a browser."""
    from skinlens.serve import serve

    serve(host, port, behind_proxy=behind_proxy, token=not no_token, oidc=oidc)


@click.command()
@click.option(
    "--accept-loss",
    is_flag=True,
    help="Changes that were lost with the case database's log are known: tidy the folder again.",
)
@options.weights
def doctor(*, accept_loss: bool, weights: Path | None) -> int:
    """Check this installation."""
    from skinlens.doctor import examine
    from skinlens.store import CaseStore

    if accept_loss:
        CaseStore().accept_loss()
    findings = examine(weights or weights_directory())
    for finding in findings:
        print(f"{'ok   ' if finding.passed else 'WRONG'}  {finding.what:<34} {finding.message}")
    return 0 if all(finding.passed for finding in findings) else 1
