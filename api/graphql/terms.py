"""terms."""

import strawberry

from api.graphql.context import Info, choose_language
from api.messages.languages import Language
from api.messages.words import translate


@strawberry.type(description="What a person agrees to. Versions are recorded with the agreement.")
class Terms:
    version: str
    url: str
    survey_consent_version: str
    survey_consent_text: str = strawberry.field(
        description=(
            "Who uses what for the survey, and how to withdraw: to show beside the box, which is not ticked beforehand."
        )
    )


async def terms(info: Info, language: Language | None = strawberry.UNSET) -> Terms:
    current = info.context.services.terms
    return Terms(
        version=current.version,
        url=current.url,
        survey_consent_version=current.survey_consent_version,
        survey_consent_text=translate(choose_language(info, language), "terms-survey-consent"),
    )
