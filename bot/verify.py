"""python -m bot verify: the books proven, a line for each finding."""

from bot.app import open_database
from bot.config import Config
from db import proof


async def verify(config: Config) -> int:
    """Prints what is wrong and how much; 0 when nothing is."""
    async with open_database(config, join=True) as database, database.transaction() as tx:
        findings = await proof.verify(tx)
    for finding in findings:
        print(f"{finding.rule}: {finding.detail}")
    print(f"{len(findings)} findings")
    return 1 if findings else 0
