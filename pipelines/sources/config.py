"""The readers a recipe can name: a new one is one file and one line here."""

from typing import Annotated

from pydantic import Field

from pipelines.sources.arxiv import ArxivConfig
from pipelines.sources.files import FilesConfig
from pipelines.sources.hub import HubConfig
from pipelines.sources.python_environment import PythonEnvironmentConfig

SourceConfig = Annotated[
    ArxivConfig | FilesConfig | HubConfig | PythonEnvironmentConfig,
    Field(discriminator="reader"),
]
