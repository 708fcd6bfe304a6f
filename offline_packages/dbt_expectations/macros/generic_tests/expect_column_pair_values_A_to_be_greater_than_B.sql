{#-
  In every row that meets `row_condition`, column A is greater than column B, or equal if `or_equal` is true.
  A row where one of the two is null does not fail.
-#}
{% test expect_column_pair_values_A_to_be_greater_than_B(
    model, column_A, column_B, or_equal=false, row_condition=none
) %}

select *
from {{ model }}
where
    {%- if row_condition %}
    ({{ row_condition }}) and
    {%- endif %}
    {{ column_A }} {{ '<' if or_equal else '<=' }} {{ column_B }}

{% endtest %}
