"""Who speaks, whose row it is about, and where the one stands to the other."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Place(StrEnum):
    """Whose row. The other organisation keeps its accounts private."""

    HOME = "own org's row"
    AWAY = "other org's row"
    SYSTEM = "system row"  #: of no organisation; only some tables have such rows


class Speaker(StrEnum):
    ANON = "anon"
    MEMBER = "member"
    ADMIN = "admin"
    OWNER = "owner"
    OTHER_MEMBER = "other org's member"
    OTHER_ASSIGNED = "other org's member, assigned to the account"
    OTHER_HOLDER = "other org's member, owner of the account"
    OTHER_ADMIN = "other org's admin"
    UNPLACED = "user of no org"
    SUPER_ADMIN = "super admin"
    SERVICE = "service"


class Standing(StrEnum):
    """What a speaker is to a row's organisation."""

    VISITOR = "visitor"
    OUTSIDER = "outsider"  #: signed in, and nothing to do with the organisation
    BYSTANDER = "bystander"  #: a member from whom the row's account is hidden
    MEMBER = "member"
    ADMIN = "admin"
    OWNER = "owner"
    SUPER = "super admin"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Post:
    """Where somebody belongs: the role in their profile, and what it makes of them there."""

    place: Place
    role: str
    standing: Standing


POSTS: Mapping[Speaker, Post] = {
    Speaker.MEMBER: Post(Place.HOME, "member", Standing.MEMBER),
    Speaker.ADMIN: Post(Place.HOME, "admin", Standing.ADMIN),
    Speaker.OWNER: Post(Place.HOME, "owner", Standing.OWNER),
    Speaker.OTHER_MEMBER: Post(Place.AWAY, "member", Standing.BYSTANDER),
    Speaker.OTHER_ASSIGNED: Post(Place.AWAY, "member", Standing.MEMBER),
    Speaker.OTHER_HOLDER: Post(Place.AWAY, "member", Standing.MEMBER),
    Speaker.OTHER_ADMIN: Post(Place.AWAY, "admin", Standing.ADMIN),
}
#: Everybody who signs in.
PEOPLE = (*POSTS, Speaker.UNPLACED, Speaker.SUPER_ADMIN)


def standing(speaker: Speaker, place: Place) -> Standing:
    match speaker:
        case Speaker.ANON:
            return Standing.VISITOR
        case Speaker.SERVICE:
            return Standing.SERVICE
        case Speaker.SUPER_ADMIN:
            return Standing.SUPER
    post = POSTS.get(speaker)
    return post.standing if post and post.place is place else Standing.OUTSIDER
