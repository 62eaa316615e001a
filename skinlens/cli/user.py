"""Commands of the accounts: ``user add``, ``list``, ``remove``, ``password``, ``disable``, ``enable``, ``role``."""

import sys

import click

from skinlens.clock import day_of
from skinlens.roles import MEANING, ROLES, Role, described

_NAME = click.argument("name", metavar="NAME")
_ROLE = click.option(
    "--role",
    type=click.Choice(ROLES),
    required=True,
    help=f"{'; '.join(f'{role} {meaning}' for role, meaning in MEANING.items())}.",
)


@click.group()
def user() -> None:
    """Accounts and their roles, for those who sign in where SkinLens is reached over a network.

    A password is asked for twice on the terminal, or read from the first line of the standard input; it is never an
    argument, which other users of the computer could see.
    """


@user.command("add")
@_NAME
@_ROLE
def add(name: str, role: Role) -> int:
    """A new account."""
    from skinlens.accounts import Accounts

    accounts = Accounts()
    made = accounts.add(name, role, _password(f"Password for {name}"))
    print(f"{made.name} is added as {made.role}. {described(made.role)}")
    if not any(account.role == "admin" for account in accounts.all()):
        print("No account is an admin yet. Add one too: skinlens user add NAME --role admin", file=sys.stderr)
    return 0


@user.command("list")
def show() -> int:
    """All accounts: number in the audit log, name, role, and the day of the last change of the password."""
    from skinlens.accounts import Accounts

    accounts = Accounts().all()
    width = max((len(account.name) for account in accounts), default=0)
    for account in accounts:
        how = f"by {account.issuer}" if account.issuer else f"password of {day_of(account.changed_at)}"
        print(
            f"{account.number:>3}  {account.name:<{width}}  {account.role:<8}  {how}{', disabled' * account.disabled}"
        )
    if not accounts:
        print("No accounts yet. Add one: skinlens user add NAME --role admin", file=sys.stderr)
    return 0


@user.command("remove")
@_NAME
def remove(name: str) -> int:
    """Remove an account and end its sessions. What was filed and signed keeps the name."""
    from skinlens.accounts import Accounts

    print(f"{Accounts().remove(name)} is removed.")
    return 0


@user.command("password")
@_NAME
def password(name: str) -> int:
    """Set a new password; sessions of the account end."""
    from skinlens.accounts import Accounts

    print(f"The password of {Accounts().set_password(name, _password(f'New password for {name}'))} is set.")
    return 0


@user.command("disable")
@_NAME
def disable(name: str) -> int:
    """Let an account in no more, and end its sessions; also one that a provider vouches for."""
    return _disabled(name, True)


@user.command("enable")
@_NAME
def enable(name: str) -> int:
    """Let a disabled account in again."""
    return _disabled(name, False)


@user.command("role")
@_NAME
@click.argument("role", type=click.Choice(ROLES))
def change_role(name: str, role: Role) -> int:
    """Give an account another role; its sessions end."""
    from skinlens.accounts import Accounts

    print(f"{Accounts().set_role(name, role)} is {role} now. {described(role)}")
    return 0


def _disabled(name: str, disabled: bool) -> int:
    from skinlens.accounts import Accounts

    print(f"{Accounts().set_disabled(name, disabled=disabled)} is {'disabled' if disabled else 'enabled'}.")
    return 0


def _password(question: str) -> str:
    if sys.stdin.isatty():
        return str(click.prompt(question, hide_input=True, confirmation_prompt="The same again"))
    return sys.stdin.readline().rstrip("\r\n")
