"""The judge judges itself: the golden model as the function behind real packets,
against a random guest and host.

No simulator: a clock that jumps from event to event, and everything observed handed to the judge as the
scoreboard
does it. A player that keeps every rule must get no verdict; one that breaks one rule once must get that
rule's.
"""
