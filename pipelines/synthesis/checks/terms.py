"""Words in small Latin letters that are at home in texts of other scripts: names of tools, and loan words."""

from __future__ import annotations

import re

TERMS = frozenset(
    """
    alias android ansible apache append arduino async await awk bash beta bios blob bool boolean bootstrap
    branch bytes cache cargo case catch celery char checkout chmod class clone cmake cmd code coli commit
    config const conda cookie cookies cout cpu cron crontab csv curl daemon dataset debian debug def delete
    deploy desktop dev devops diff dict django docker dockerfile echo elif else email enum event excel exec
    exit export facebook fastapi fetch file firefox firewall flask float fork framework frontend backend
    from func function getter git github gitlab google gradle grep group gunicorn gzip hadoop hash header
    helm homo host html http https iframe import index init inner input insert int interface iphone iptables
    java javascript jenkins join json jupyter kafka kernel keras kotlin kubectl kubernetes kwargs label
    lambda latex length linux list localhost logging login long mail main make malloc mapping matplotlib
    maven merge meta method middleware mock mongo mongodb mount mysql namespace nginx node nodejs none
    notebook npm null numpy object offline online openssl order outer package pandas params parser password
    path perl php ping pip pipeline plugin podman post postgres postgresql powershell print private prod
    protected proxy public pull push pytest python pytorch query queue rabbitmq react readme rebase redis
    regex release remote render repo repository request reset response rest return ridge root router ruby
    runtime rust sapiens scala scanf scikit scipy script scrum select self server service session set setter
    setup shell smartphone socket soft software spark sprint spring sqlite stack stage staging startup
    static stderr stdin stdout string struct sudo super swift switch syntax systemd table task telegram
    template tensorflow terminal terraform test thread timeout token tokens touch transformer transformers
    true false try tuple type ubuntu undefined unicode union unix update url user utils vagrant values
    variable vector venv video vite vitro vivo void vue vuejs wait web webpack where wiki wikipedia windows
    wordpress worker yaml yield youtube zigbee facto versus alia priori posteriori status hoc etc
    """.split()
)
"""Names of tools, words of programming languages, and Latin that is cited everywhere."""

SHORT = frozenset(
    "all and any are but can did for get had has her him his how its may new not now off old one our out own "
    "she the too two use was way who why you".split()
)
"""English words of three letters that are no terms."""

SPOKEN_OF = re.compile(
    r"(?:функци|метод|команд|библиотек|модул|пакет|класс|параметр|аргумент|переменн|операто?р|пол[ея]|столб|тег|атрибут"
    r"|свойств|файл|слов|термин|ключ|опци|флаг|тип|объект|утилит|формат|фреймворк|инструмент|библиотечн|програм"
    r"|приложени|сервис|сайт|домен|ветк|таблиц|колонк|ресурс|значени|алгоритм|протокол|вид|род)"
    r"[а-яё]{0,4}[\s:—–-]{1,3}$",
    re.IGNORECASE,
)
"""The end of Russian text before a word that it speaks of, as in `функция `."""
