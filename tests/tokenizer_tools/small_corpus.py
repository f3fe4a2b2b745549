import pyarrow as pa

CORPUS = [
    "The press turns slowly, and the juice runs clear into the vat. It's 1987; they'd say 12,345 bottles.",
    "Виноград собирают осенью, и сок течёт в чан. Бочки стоят в погребе, а вино зреет годами.",
    "def blend(barrels: list[float]) -> float:\n    total = 0\n    for b in barrels:\n        total += b\n",
    "葡萄酒在橡木桶中陈酿。ワインは樽で熟成される。 अंगूर का रस साफ़ बहता है। العنب يعصر في الخريف",
    "A blend of barrels, a blend of vats; every bottle tastes the same. 😀👍🏽",
] * 20


def texts(*values):
    return pa.array(values, pa.large_string())
