Feature: Wait
  A wait takes its time and leaves the data alone. Durations are ISO 8601 or objects.

  Scenario Outline: Waiting for <duration>
    Given a workflow that says:
      """yaml
      do:
        - pause:
            wait: <duration>
        - after: {set: '${ . + 1 }'}
      """
    And the workflow input is:
      """yaml
      1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      2
      """
    And the tasks should run in order pause, after
    And the workflow should take <time>

    Examples:
      | duration                          | time       |
      | PT30S                             | PT30S      |
      | {seconds: 30}                     | PT30S      |
      | P30D                              | P30D       |
      | {days: 1, hours: 2, minutes: 3}   | P1DT2H3M   |
      | PT0.5S                            | PT0.5S     |
      | {milliseconds: 1500}              | PT1.5S     |

  Scenario: The duration may be an expression
    Given a workflow that says:
      """yaml
      do:
        - pause:
            wait: ${ .delay }
        - again:
            wait: {minutes: '${ .minutes }'}
      """
    And the workflow input is:
      """yaml
      {delay: PT10S, minutes: 2}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      {delay: PT10S, minutes: 2}
      """
    And the tasks should run in order pause, again
    And the workflow should take PT2M10S

  Scenario: An expression that gives no duration is an expression error
    Given a workflow that says:
      """yaml
      do:
        - pause:
            wait: ${ .delay }
      """
    And the workflow input is:
      """yaml
      delay: soon
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/expression
      status: 400
      instance: /do/0/pause
      """
    And the error's detail should mention 'soon'
    And the tasks should run in order pause

  Scenario: Waits side by side pass together
    Given a workflow that says:
      """yaml
      do:
        - all:
            fork:
              branches:
                - a: {wait: PT1M}
                - b: {wait: PT2M}
                - c: {wait: PT3M}
      """
    And the workflow input is:
      """yaml
      x
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [x, x, x]
      """
    And the tasks should run in order all, a, b, c
    And the workflow should take PT3M
