"""Commands of the REST interface: ``api`` serves it, ``api token`` says who may use it, ``api openapi`` what it has."""

import sys
import time
from pathlib import Path

import click

from skinlens.cli import options
from skinlens.clock import day_of
from skinlens.labels import DISCLAIMER
from skinlens.roles import MEANING, TOKEN_ROLES, Role, described

_NAME = click.argument("name", metavar="NAME")


@click.group("api", invoke_without_command=True)
@click.option("--host", default="127.0.0.1", help="127.0.0.1 by default: this computer only. Others need a token.")
@click.option("--port", type=int, default=8502, help="8502 by default.")
@click.option(
    "--behind-proxy",
    metavar="https://HOST",
    default="",
    envvar="SKINLENS_API_BEHIND_PROXY",
    help="The address at which a proxy with TLS forwards to here. Needs a token.",
)
@options.weights
@click.pass_context
def api(context: click.Context, host: str, port: int, behind_proxy: str, weights: Path | None) -> int:
    """The REST interface, for programs of your own: predict, explain, report, and photos for the worklist."""
    if context.invoked_subcommand is None:
        from skinlens.api.server import serve

        serve(host, port, behind_proxy=behind_proxy, weights=weights)
    return 0


@api.group("token")
def token() -> None:
    """Tokens with which programs are let in, and their roles."""


@token.command("add")
@_NAME
@click.option(
    "--role",
    type=click.Choice(TOKEN_ROLES),
    required=True,
    help=f"{'; '.join(f'{role} {MEANING[role]}' for role in TOKEN_ROLES)}.",
)
@click.option("--days", type=int, default=365, show_default=True, help="For which it is good: 1 to 3650.")
def add(name: str, role: Role, days: int) -> int:
    """A new token, printed this once."""
    from skinlens.accounts import Tokens

    made, secret = Tokens().add(name, role, days)
    print(secret)
    print(f"{made.name}: {described(made.role)} It is good until {day_of(made.expires_at)}.", file=sys.stderr)
    print(f"Keep the token now, it is not shown again: only its hash is stored. {DISCLAIMER}", file=sys.stderr)
    return 0


@token.command("list")
def show() -> int:
    """All tokens: number in the audit log, name, role, the days on which it was made and ends, and of its last use."""
    from skinlens.accounts import Tokens
    from skinlens.accounts.tokens import ADD_ONE

    directory = Tokens()
    tokens = directory.all()
    width = max((len(access_token.name) for access_token in tokens), default=0)
    now = time.time()
    for access_token in tokens:
        used = f"last used {day_of(access_token.seen_at)}" if access_token.seen_at else "never used"
        revoked = f", revoked {day_of(access_token.revoked_at)}" if access_token.revoked_at else ""
        ends = f"{'ended' if now >= access_token.expires_at else 'ends'} {day_of(access_token.expires_at)}"
        told = f"made {day_of(access_token.created_at)}, {ends}, {used}{revoked}"
        print(f"{access_token.number:>3}  {access_token.name:<{width}}  {access_token.role:<8}  {told}")
    for problem in directory.problems():
        print(problem, file=sys.stderr)
    if not tokens:
        print(f"No tokens yet. {ADD_ONE}", file=sys.stderr)
    return 0


@token.command("revoke")
@_NAME
def revoke(name: str) -> int:
    """Let a token in no more, from its next request on."""
    from skinlens.accounts import Tokens

    print(f"{Tokens().revoke(name)} is revoked.")
    return 0


@api.command("openapi")
def openapi() -> int:
    """The OpenAPI document of the interface."""
    from skinlens.api.openapi import document

    options.print_json(document())
    return 0
