"""The README's picture of the demo shows what the demo says today; and the check notices when it doesn't."""

import unittest

import pictures

STORY = '''
    self.screen.step("Sync both");
    self.screen.step("Change every file, and delete");
    self.screen.claim(
        &self.claims,
        "GET answers 404",
        gone,
    );
    self.screen.claim(&self.claims, &format!("{name}: everything"), everything);
'''
PICTURE = '''<svg xmlns="http://www.w3.org/2000/svg"><title>GET answers 404</title>
<text>Change&#160;every&#160;file,&#160;and</text><text>delete</text>%s</svg>'''


class Pictures(unittest.TestCase):
    def test_the_picture_is_of_todays_demo(self):
        story, picture = pictures.STORY.read_text(encoding="utf-8"), pictures.PICTURE.read_text(encoding="utf-8")
        self.assertGreater(len(pictures.sentences(story)), 10)
        self.assertEqual(pictures.missing(story, picture), [], "renew it: make picture")

    def test_a_sentence_that_the_picture_lacks_is_noticed(self):
        self.assertEqual(pictures.missing(STORY, PICTURE % ""), ["GET answers 404"])
        self.assertEqual(pictures.missing(STORY, PICTURE % "<text>✓</text><text> GET answers 404</text>"), [])

    def test_the_pictures_ask_no_other_server(self):
        for picture in sorted(pictures.PICTURE.parent.glob("*.svg")):
            text = picture.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
            for outside in ("http:", "https:", "url(//", "@font-face", "@import", "<script"):
                self.assertNotIn(outside, text, picture.name)


if __name__ == "__main__":
    unittest.main()
