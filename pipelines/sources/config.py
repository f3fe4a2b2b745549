"""The readers a recipe can name: a new one is one file and one line here."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from pipelines.sources.arxiv import ArxivConfig
from pipelines.sources.code.git import GitConfig
from pipelines.sources.files import FilesConfig
from pipelines.sources.hub import HubConfig
from pipelines.sources.presets.use import PresetSchema, expanded
from pipelines.sources.python_environment import PythonEnvironmentConfig

SourceConfig = Annotated[
    Annotated[
        ArxivConfig | FilesConfig | GitConfig | HubConfig | PythonEnvironmentConfig,
        Field(discriminator="reader"),
    ],
    BeforeValidator(expanded),
    PresetSchema(),
]
