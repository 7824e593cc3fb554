Feature: YAML
  Documents are YAML 1.2 (or JSON): only true and false are booleans, only numbers are numbers.

  @decision-1
  Scenario: What YAML 1.1 took for something else is text
    Given a workflow that says:
      """yaml
      do:
        - look:
            set:
              on: off
              no: yes
              time: 12:30:00
              date: 2026-01-01
              version: 1.0.0
              number: 0777
              nothing: ~
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      {'on': 'off', 'no': 'yes', time: '12:30:00', date: '2026-01-01', version: '1.0.0', number: 777, nothing: null}
      """
    And the tasks should run in order look

  @decision-1
  Scenario: A key that stands twice is found before anything runs
    Given a workflow that says:
      """yaml
      do:
        - look:
            set:
              n: 1
              n: 2
      """
    When the document is checked
    Then the document should be refused at '6'
