"""A chat template that is rendered with symbolic contents, and seen through in all that it asks about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property, wraps
from typing import Any

from typing_extensions import override

from tokenizer_tools.chat_shapes.symbolic import (
    Question,
    SymbolicText,
    Trace,
    contents_in,
    trimmed,
    untrimmed,
)
from tokenizer_tools.chat_template import ChatTemplate
from tokenizer_tools.conversation import Conversation
from tokenizer_tools.span_masks import Span

_KEEPS = frozenset(
    {
        *("trim", "string", "list", "first", "last", "reverse", "items", "length", "count", "default", "d"),
        *("select", "reject", "selectattr", "rejectattr", "map"),
    }
)
"""Filters that do nothing with a content beside what its own methods tell."""
_TELLS = frozenset(
    {
        *("defined", "undefined", "none", "string", "mapping", "number", "boolean", "integer", "float"),
        *("true", "false", "eq", "equalto", "==", "ne", "!="),
    }
)
"""Tests of which the same is true."""


class TracedTemplate(ChatTemplate):
    """Renders symbolic contents. What a template does with them is either written down or refused.

    Contents are of a kind of string whose every method is replaced. What gets around methods (filters and
    functions written in C, `in`, `~`, `%`, strings joined and used again) is replaced in the environment.
    """

    trace: Trace
    """To be set before each rendering."""

    @override
    def marked(self, conversation: Conversation, *, prompt: bool = False) -> tuple[str, list[Span]]:
        symbolic = conversation.with_messages(
            lambda message: message | {"content": message["content"] and self._symbolic(message["content"])}
        )
        text, spans = super().marked(symbolic, prompt=prompt)
        self.trace.use(text)
        return SymbolicText(text, self.trace), spans

    @override
    def _rendered(self, values: dict[str, Any]) -> str:
        return _plain(super()._rendered(values))

    def _symbolic(self, text: str) -> str:
        return _Content(text, self.trace) if any(True for _ in contents_in(text)) else text

    @override
    def _kind_of_environment(self) -> Any:
        return _environment()

    @override
    def _prepare(self, environment: Any) -> None:
        environment.symbolic = self._symbolic
        environment.refuse = lambda *_, **__: self.trace.refuse()
        environment.concat = lambda parts: self._symbolic("".join(parts))
        guarded = environment.refuse
        environment.filters = {
            name: each if name in _KEEPS else _guarded(each, guarded)
            for name, each in environment.filters.items()
        }
        environment.filters["_joined"] = lambda parts: self._symbolic("".join(map(str, parts)))
        tests = environment.tests
        environment.tests = {
            name: each if name in _TELLS else _guarded(each, guarded) for name, each in tests.items()
        }
        for name in ("iterable", "sequence"):
            environment.tests[name] = _true_of_contents(tests[name])
        environment.tests["in"] = self._is_in

    def _is_in(self, value: Any, collection: Any) -> bool:
        if isinstance(collection, str) and not isinstance(collection, _Content) and _holds_content(value):
            self.trace.refuse()
        return value in collection


class _Content(str):
    """A content, or text that holds some, while a template is rendered."""

    __slots__ = ("_trace",)
    _trace: Trace

    def __new__(cls, text: str, trace: Trace) -> _Content:
        made = super().__new__(cls, text)
        made._trace = trace
        return made

    def _asked(self, question: Question, literal: Any) -> bool:
        """No, on condition; what cannot be conditioned is refused."""
        content = _plain(self)
        self._trace.use(content)
        if not isinstance(literal, str):
            self._trace.refuse()
        if not (literal := _plain(literal)):
            return True
        self._trace.demand(untrimmed(content), question, literal)
        return False

    def __str__(self) -> str:
        return self

    def __format__(self, layout: str) -> str:
        return self._trace.refuse() if layout else self

    def __bool__(self) -> bool:
        return True

    def __add__(self, other: Any) -> Any:
        return _Content(str.__add__(self, other), self._trace) if isinstance(other, str) else NotImplemented

    def __radd__(self, other: Any) -> Any:
        return _Content(str.__add__(other, self), self._trace) if isinstance(other, str) else NotImplemented

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, str):
            return False
        own, its = _plain(self), _plain(other)
        self._trace.use(own + its)
        return untrimmed(own) == untrimmed(its) or (bool(its) and self._asked(Question.EQUALS, its))

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            raise TypeError("string indices must be integers")
        self._trace.refuse()

    def __contains__(self, part: Any) -> bool:
        return self._asked(Question.CONTAINS, part)

    def startswith(self, prefix: Any, *place: Any) -> bool:
        prefixes = prefix if isinstance(prefix, tuple) else (prefix,)
        return bool(place and self._trace.refuse()) or any(
            self._asked(Question.BEGINS, each) for each in prefixes
        )

    def endswith(self, suffix: Any, *place: Any) -> bool:
        suffixes = suffix if isinstance(suffix, tuple) else (suffix,)
        return bool(place and self._trace.refuse()) or any(
            self._asked(Question.ENDS, each) for each in suffixes
        )

    def strip(self, characters: Any = None) -> _Content:
        text = _plain(self)
        if characters is None and len(text) == 1:
            return _Content(trimmed(text), self._trace)
        return self.lstrip(characters).rstrip(characters)

    def lstrip(self, characters: Any = None) -> _Content:
        self._require_space(characters)
        return _Content(str.lstrip(self, characters), self._trace)

    def rstrip(self, characters: Any = None) -> _Content:
        self._require_space(characters)
        return _Content(str.rstrip(self, characters), self._trace)

    def _require_space(self, characters: Any) -> None:
        """Contents have no white space at their edges, so nothing but literals around them is stripped."""
        self._trace.use(_plain(self))
        if characters is not None and not (isinstance(characters, str) and characters.isspace()):
            self._trace.refuse()

    def split(self, separator: Any = None, maxsplit: Any = -1) -> list[_Content]:
        return [self] if separator and not self._asked(Question.CONTAINS, separator) else self._trace.refuse()

    rsplit = split

    def replace(self, old: Any, new: Any, count: Any = -1) -> _Content:
        return self if old and not self._asked(Question.CONTAINS, old) else self._trace.refuse()


_plain = str.__str__


def _refused(self: _Content, *_: Any, **__: Any) -> Any:
    self._trace.refuse()


_OWN = {"__new__", "__init__", "__class__", "__getattribute__", "__setattr__", "__delattr__", "__doc__"}
_OWN |= {"__init_subclass__", "__subclasshook__", "__dir__"}
for _name in set(dir(str)) - _OWN - set(vars(_Content)) | {"__hash__"}:
    setattr(_Content, _name, _refused)


def _environment() -> type[Any]:
    from jinja2 import nodes
    from jinja2.runtime import Macro
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    from jinja2.utils import Namespace
    from jinja2.visitor import NodeTransformer

    class Explicit(NodeTransformer):
        """Operators that strings do not let see, as filters and tests."""

        def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
            self.generic_visit(node)
            return nodes.Filter(nodes.List(node.nodes), "_joined", [], [], None, None)

        def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802
            self.generic_visit(node)
            operators = [operand.op for operand in node.ops]
            if not {"in", "notin"} & set(operators):
                return node
            if len(operators) > 1:
                raise NotImplementedError("a chain of comparisons with `in`")
            test = nodes.Test(node.expr, "in", [node.ops[0].expr], [], None, None)
            return test if operators == ["in"] else nodes.Not(test)

    class Environment(ImmutableSandboxedEnvironment):
        intercepted_binops = frozenset({"%"})

        @override
        def _generate(self, source: nodes.Template, *others: Any, **options: Any) -> str:
            explicit = Explicit().visit(source)
            explicit.set_environment(self)
            return super()._generate(explicit, *others, **options)

        @override
        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            if _holds_content(left) or (isinstance(left, str) and _holds_content(right)):
                self.refuse()
            return super().call_binop(context, operator, left, right)

        @override
        def call(self, context: Any, called: Any, *arguments: Any, **named: Any) -> Any:
            is_seen_through = (
                isinstance(called, Macro)
                or called is Namespace
                or isinstance(getattr(called, "__self__", None), _Content)
            )
            given = [value for name, value in named.items() if name not in ("_loop_vars", "_block_vars")]
            if not is_seen_through and _holds_content([*arguments, *given]):
                self.refuse()
            return super().call(context, called, *arguments, **named)

    return Environment


def _guarded(function: Callable[..., Any], refuse: Callable[[], Any]) -> Callable[..., Any]:
    """The filter or test, refused where it gets a content."""

    @wraps(function)
    def guarded(*arguments: Any, **named: Any) -> Any:
        if _holds_content([*arguments, *named.values()]):
            refuse()
        return function(*arguments, **named)

    return guarded


def _true_of_contents(test: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, _Content) or test(value)


def _holds_content(value: Any) -> bool:
    """Whether a value is or holds a content; what cannot be looked into may."""
    from jinja2.environment import Environment
    from jinja2.nodes import EvalContext
    from jinja2.runtime import Context, Macro, Undefined

    if isinstance(value, str):
        return isinstance(value, _Content) or any(True for _ in contents_in(value))
    if isinstance(value, Mapping) and not isinstance(value, Context):
        return any(map(_holds_content, [*value.keys(), *value.values()]))
    if isinstance(value, list | tuple | set | frozenset):
        return any(map(_holds_content, value))
    known = (int, float, type(None), range, Undefined, Macro, Context, EvalContext, Environment)
    return not isinstance(value, known)
