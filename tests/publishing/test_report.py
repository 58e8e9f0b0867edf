"""What is printed of a training."""

from rnnzoo.publishing.report import show


def test_names_with_brackets_are_printed_as_they_are(capsys):
    show("novel [draft]", {"perplexity": 9.5}, {"bigram_perplexity": 11.0}, "trained/[/x] :smile:")
    printed = " ".join(capsys.readouterr().out.split())  # whatever its lines
    assert "novel [draft] on its validation data" in printed
    assert "Written to trained/[/x] :smile:" in printed
