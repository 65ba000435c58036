"""A machine is named as its owner would name it."""

from ostinato.models.benching.machine import cpu_name, this_machine

X86 = "processor\t: 0\ncpu family\t: 26\nmodel\t\t: 2\nmodel name\t: AMD EPYC\n\nprocessor\t: 1\nmodel\t\t: 3\n"


def test_an_x86_processor_is_named_with_its_family() -> None:
    assert cpu_name(X86) == "AMD EPYC (family 26, model 2)"


def test_a_processor_without_numbers_is_named_by_its_model() -> None:
    assert cpu_name("model name\t: Cortex: A76\n") == "Cortex: A76"


def test_one_that_says_nothing_has_no_name() -> None:
    assert cpu_name("") == ""
    assert cpu_name("processor\t: 0\nBogoMIPS\t: 50.00\n") == ""


def test_this_machine_has_a_name_and_cores() -> None:
    machine = this_machine()
    assert machine.cpu
    assert machine.cores >= 1
