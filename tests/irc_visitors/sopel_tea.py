"""A plugin for Sopel: ask for what was said in #tea before, and answer a question.

Sopel notes what comes from before its JOIN in its raw log, and lets no plugin act on it.
"""

from sopel import plugin


@plugin.event("366")
@plugin.rule(".*")
def joined(bot, trigger):
    bot.write(("CHATHISTORY", "LATEST", "#tea", "*", "10"))


@plugin.rule("how")
def asked(bot, trigger):
    bot.say("with milk")
